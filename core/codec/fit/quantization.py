"""Quantisation step sizes: which weights a rule's symbols stand for, and the scales that a bundle says them with.

A weight is symbol · step size, and each of a rule's tensors (W1, b1, W2) has its own step size. Scaling W1 and b1 up
and W2 down changes nothing that a rule grows, so a bundle holds the product of the step sizes of W1 and W2 only, in
eighths of an octave, and the step size of b1 as a power of two times that of W1 (core.codec.format.fixed_point).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regrow.core.codec.fire import fire_mask
from regrow.core.codec.fit.engines.base import Array
from regrow.core.codec.format.fixed_point import CODE_LIMIT, GAINS_PER_OCTAVE, SYMBOL_LIMIT, IntegerRule, Scales
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape, split, tensor_slices

STEP_SIZE_SHARES = (0.16, 0.16, 0.072)
"""The usual step sizes of W1, b1 and W2, over the root mean square of the tensor: about five bits a weight. W2 gets the
finer one, as pictures depend on it 4 to 18 times as much (docs/adr/0005)."""

_SMALLEST = 1e-6


@dataclass(frozen=True, slots=True)
class StepSizes:
    """One rule's quantisation step sizes.

    w1: that of W1. gain: g, the product of those of W1 and W2 is 2 ** (-g / 8). bias_octave: that of b1 is that of W1
    times 2 ** bias_octave.
    """

    w1: float
    gain: int
    bias_octave: int

    def per_weight(self, shape: RuleShape) -> npt.NDArray[np.float64]:
        """Each weight's step size; float64 (parameters,)."""
        sizes = (self.w1, self.w1 * 2.0**self.bias_octave, 2 ** (-self.gain / GAINS_PER_OCTAVE) / self.w1)
        lengths = [part.stop - part.start for part in tensor_slices(shape)]
        return np.repeat(sizes, lengths)


def usual_step_sizes(weights: Array, shape: RuleShape, coarseness: float, tilt: float = 0.0) -> StepSizes:
    """Step sizes in proportion to the tensors' root mean squares; weights (parameters,).

    coarseness: a factor of them all. tilt: octaves by which W2's is coarser, W1's being finer to make up for it.
    """
    parts = tensor_slices(shape)
    sizes = [max(_SMALLEST, math.sqrt(float(np.mean(np.square(weights[part], dtype=np.float64))))) for part in parts]
    w1, b1, w2 = (coarseness * share * size for share, size in zip(STEP_SIZE_SHARES, sizes, strict=True))
    of_w1, of_w2 = parts[0].stop, parts[2].stop - parts[2].start
    return _step_sizes(weights, shape, w1 * 2 ** (-tilt * of_w2 / of_w1), b1, w2 * 2**tilt)


def one_byte_step_sizes(weights: Array, shape: RuleShape) -> StepSizes:
    """The finest step sizes with which each tensor's largest weight still has a symbol."""
    return _step_sizes(weights, shape, _SMALLEST, _SMALLEST, _SMALLEST)


def _step_sizes(weights: Array, shape: RuleShape, w1: float, b1: float, w2: float) -> StepSizes:
    """The nearest step sizes that a bundle can say and that reach the largest weights."""
    largest = [float(np.abs(weights[part]).max()) for part in tensor_slices(shape)]
    w1, b1, w2 = (max(step, top / SYMBOL_LIMIT) for step, top in zip((w1, b1, w2), largest, strict=True))
    gain = math.floor(-GAINS_PER_OCTAVE * math.log2(w1 * w2) + 1e-9)
    bias_octave = math.ceil(math.log2(max(b1, largest[1] / SYMBOL_LIMIT) / w1) - 0.5)
    if largest[1] > SYMBOL_LIMIT * w1 * 2.0**bias_octave:
        bias_octave += 1
    return StepSizes(w1, min(max(gain, 0), 255), min(max(bias_octave, -4), 8))


def integer_rule(
    symbols: npt.NDArray[np.int8], step_sizes: StepSizes, shape: RuleShape, seed: Array, rollout: Rollout
) -> IntegerRule:
    """The rule of these symbols, with as much precision as its states and hidden layers leave room for.

    seed: float32 (channels, height, width). Whatever the weights, the rule is one that a bundle can hold.
    """
    weights = (symbols * step_sizes.per_weight(shape)).astype(np.float32)
    largest_state, largest_hidden = _ranges(shape, weights, seed, rollout)
    precision = _clip(math.floor(math.log2(CODE_LIMIT / max(largest_state, _SMALLEST))), 4, 15)
    codes = largest_hidden / step_sizes.w1 * 2**precision / CODE_LIMIT
    largest_shift = precision - 2 - (-step_sizes.gain // GAINS_PER_OCTAVE)  # or the update's shift would be below 1
    hidden_shift = _clip(math.ceil(math.log2(max(codes, _SMALLEST))), 0, min(15, largest_shift))
    bias_shift = _clip(precision + step_sizes.bias_octave, 0, 23)
    return IntegerRule(symbols, Scales(step_sizes.gain, precision, bias_shift, hidden_shift))


def _clip(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


def _ranges(shape: RuleShape, weights: Array, seed: Array, rollout: Rollout) -> tuple[float, float]:
    """The largest size of a state's value, and of a hidden unit, over the growth from a seed (channels, H, W)."""
    tensors = split(weights[None], shape)
    w1, b1, w2 = tensors.w1[0], tensors.b1[0][:, None], tensors.w2[0]
    _, height, width = seed.shape
    state: Array = seed
    largest_state, largest_hidden = float(np.abs(seed).max()), 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(rollout.steps):
            hidden = np.maximum(w1 @ _perceived(state) + b1, np.float32(0))
            update: Array = (w2 @ hidden).reshape(seed.shape)
            if rollout.fire_rate:
                update *= fire_mask(rollout.fire_key, step, height, width, rollout.fire_rate)
            state = np.add(state, update)
            largest_hidden = max(largest_hidden, float(hidden.max()))
            # The last state is only shown, and shown values are clipped.
            if step + 1 < rollout.steps:
                largest_state = max(largest_state, float(np.abs(state).max()))
    return min(largest_state, 1e6), min(largest_hidden, 1e6)


def _perceived(state: Array) -> Array:
    """z of (channels, H, W), Sobel responses divided by 8, zeros outside; (3·channels, H·W)."""
    padded = np.pad(state, ((0, 0), (1, 1), (1, 1)))
    down = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    across = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    sobel_x = (down[:, :, 2:] - down[:, :, :-2]) / np.float32(8)
    sobel_y = (across[:, 2:] - across[:, :-2]) / np.float32(8)
    z: Array = np.concatenate((state, sobel_x, sobel_y), dtype=np.float32).reshape(3 * len(state), -1)
    return z
