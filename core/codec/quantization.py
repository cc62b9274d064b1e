"""Weights to one-byte symbols and back.

Each of a rule's tensors (W1, b1, W2) has its own quantisation step, a power of two in eighths of an octave, so that a
step costs one byte: ``step = 2 ** (code / 8 - 24)``. A weight is ``symbol · step`` with a symbol from -127 to 127.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.codec.rule import FloatArray, RuleShape, tensor_slices

SYMBOL_LIMIT = 127
_CODES_PER_OCTAVE = 8
_OCTAVE_OF_CODE_0 = -24


@dataclass(frozen=True, slots=True)
class QuantizedRules:
    """G rules. step_codes: uint8 (G, 3), for W1, b1, W2; symbols: int8 (G, parameters)."""

    step_codes: npt.NDArray[np.uint8]
    symbols: npt.NDArray[np.int8]


def steps_of(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The quantisation steps that the codes stand for; float32, of the codes' shape."""
    return np.exp2(codes.astype(np.float64) / _CODES_PER_OCTAVE + _OCTAVE_OF_CODE_0).astype(np.float32)


def choose_step_codes(weights: FloatArray, shape: RuleShape) -> npt.NDArray[np.uint8]:
    """Per rule and tensor, the smallest step that reaches the tensor's largest weight; uint8 (G, 3)."""
    codes = np.zeros((len(weights), 3), dtype=np.uint8)
    for column, part in enumerate(tensor_slices(shape)):
        largest = np.abs(weights[:, part]).max(axis=1).astype(np.float64)
        exact = (np.log2(np.maximum(largest, 1e-30) / SYMBOL_LIMIT) - _OCTAVE_OF_CODE_0) * _CODES_PER_OCTAVE
        codes[:, column] = np.ceil(exact - 1e-9).clip(0, 255)
    return codes


def steps_per_weight(codes: npt.NDArray[np.uint8], shape: RuleShape) -> npt.NDArray[np.float32]:
    """Each weight's step; float32 (G, parameters)."""
    lengths = [part.stop - part.start for part in tensor_slices(shape)]
    return np.repeat(steps_of(codes), lengths, axis=1)


def quantize(weights: FloatArray, shape: RuleShape) -> QuantizedRules:
    """Round (G, parameters) weights to the nearest symbols."""
    codes = choose_step_codes(weights, shape)
    symbols = np.rint(weights / steps_per_weight(codes, shape)).clip(-SYMBOL_LIMIT, SYMBOL_LIMIT)
    return QuantizedRules(codes, symbols.astype(np.int8))


def dequantize(rules: QuantizedRules, shape: RuleShape) -> npt.NDArray[np.float32]:
    """The weights that the symbols stand for; float32 (G, parameters)."""
    return rules.symbols.astype(np.float32) * steps_per_weight(rules.step_codes, shape)
