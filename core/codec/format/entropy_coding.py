"""Entropy coding of symbols: an asymmetric numeral system (Duda, 2013) over fixed-point logistic models.

The coder is constriction's (stack, 32-bit words, 64-bit state, 24-bit probabilities); the models are integers made
here, so that docs/FORMAT.md can specify every bit.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import constriction
import numpy as np
import numpy.typing as npt

from regrow.core.codec.format.fixed_point import SYMBOL_LIMIT
from regrow.core.errors import DamagedBundle

Symbols = npt.NDArray[np.int8]

PROBABILITY_BITS = 24
SCALE_CODES = 64
_ALPHABET = 2 * SYMBOL_LIMIT + 1
_WORD_BYTES = 4


@functools.lru_cache(maxsize=SCALE_CODES)
def frequencies(code: int) -> npt.NDArray[np.int64]:
    """How often, of 2**24 times, each symbol from -127 to 127 comes up; int64 (255,), each at least 1.

    A discrete logistic distribution of scale 2 ** ((code - 16) / 8), in integer arithmetic: with u = θ**|k| for
    θ = exp(-1 / scale), both in units of 2**-32, the weight of symbol k is u / (1 + u)².
    """
    one = 1 << 32
    theta = round(math.exp(-1 / 2 ** ((code - 16) / 8)) * one)
    power, weights = one, []
    for _ in range(SYMBOL_LIMIT + 1):
        weights.append((power << 64) // (one + power) ** 2)
        power = power * theta >> 32
    total = weights[0] + 2 * sum(weights[1:])
    free = (1 << PROBABILITY_BITS) - _ALPHABET
    counts = [1 + free * weight // total for weight in weights]
    table = np.array([*counts[:0:-1], *counts], dtype=np.int64)
    table[SYMBOL_LIMIT] += (1 << PROBABILITY_BITS) - table.sum()
    return table


@functools.lru_cache(maxsize=SCALE_CODES)
def _model(code: int) -> constriction.stream.model.Categorical:
    """The table as constriction's model. `perfect` keeps probabilities that are multiples of 2**-24 as they are."""
    return constriction.stream.model.Categorical(frequencies(code) / 2.0**PROBABILITY_BITS, perfect=True)


@functools.lru_cache(maxsize=1)
def _costs() -> npt.NDArray[np.float64]:
    """Bits per symbol under each model; float64 (64, 255)."""
    tables = np.stack([frequencies(code) for code in range(SCALE_CODES)])
    return PROBABILITY_BITS - np.log2(tables)


def best_scale_code(symbols: Symbols) -> int:
    """The model that codes these symbols in the fewest bits."""
    counts = np.bincount(symbols.astype(np.int64) + SYMBOL_LIMIT, minlength=_ALPHABET)
    return int(np.argmin(_costs() @ counts))


def bits_of(symbols: Symbols, code: int) -> float:
    """What the symbols cost under a model, in bits."""
    return float(_costs()[code][symbols.astype(np.int64) + SYMBOL_LIMIT].sum())


def encode_symbols(tensors: Sequence[Symbols], codes: Sequence[int]) -> bytes:
    """The symbols of several tensors, each under its own model; the last word without its leading zero bytes."""
    coder = constriction.stream.stack.AnsCoder()
    for symbols, code in zip(reversed(tensors), reversed(codes), strict=True):
        coder.encode_reverse(symbols.astype(np.int32) + SYMBOL_LIMIT, _model(code))
    return bytes(coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0"))


def decode_symbols(data: bytes, sizes: Sequence[int], codes: Sequence[int]) -> Symbols:
    """All tensors' symbols, one after the other; int8. Raises DamagedBundle where the data does not end with them."""
    if data.endswith(b"\0"):
        raise DamagedBundle("a patch's coded symbols end with a byte of zero, which no encoder writes")
    words = np.frombuffer(data + b"\0" * (-len(data) % _WORD_BYTES), dtype="<u4").astype(np.uint32)
    coder = constriction.stream.stack.AnsCoder(words)
    decoded = [coder.decode(_model(code), size) for size, code in zip(sizes, codes, strict=True)]
    if not coder.is_empty():
        raise DamagedBundle("a patch's coded symbols do not end where they should")
    symbols: Symbols = (np.concatenate(decoded) - SYMBOL_LIMIT).astype(np.int8)
    return symbols
