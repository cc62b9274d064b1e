"""What a seed costs by its law's table, and how that changes with the law, compiled. Callable from numba code."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from regrow.core.codec.format.seeds.coder import LENGTH_BITS, PROBABILITY_BITS
from regrow.core.codec.format.seeds.model import SCALES, LawTables


class CostTables(NamedTuple):
    """LawTables as an encoder takes them. before: of every symbol, the sum of the frequencies before it in its table.
    bits: float32, what it costs."""

    raw_bits: npt.NDArray[np.int32]
    reach: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int32]
    frequencies: npt.NDArray[np.int32]
    before: npt.NDArray[np.int32]
    bits: npt.NDArray[np.float32]


@functools.lru_cache(maxsize=4)
def cost_tables(tables: LawTables) -> CostTables:
    """Of a model's tables."""
    before = np.zeros_like(tables.frequencies)
    for scale, start in {(scale, int(start)) for scale, some in enumerate(tables.starts) for start in some}:
        table = tables.frequencies[start : start + 2 * int(tables.reach[scale]) + 2]
        before[start + 1 : start + len(table)] = np.cumsum(table[:-1])
    bits = (PROBABILITY_BITS - np.log2(tables.frequencies)).astype(np.float32)
    return CostTables(tables.raw_bits, tables.reach, tables.starts, tables.frequencies, before, bits)


@njit(nogil=True, error_model="numpy")
def symbol_of(tables, mean, scale, seed):  # type: ignore[no-untyped-def]
    """A seed by its law: its number without the low bits, these, and the symbol's place in all tables."""
    bits, reach = np.int64(tables.raw_bits[scale]), np.int64(tables.reach[scale])
    nearest = (mean + 4) >> 3
    fraction = 0 if bits else mean - 8 * nearest
    whole = nearest - seed if fraction < 0 else seed - nearest
    number = whole >> bits
    place = 2 * reach + 1 if abs(number) > reach else 2 * number - 1 if number > 0 else -2 * number
    return number, whole & ((1 << bits) - 1), tables.starts[scale, abs(fraction)] + place


@njit(nogil=True, error_model="numpy")
def length_of(beyond):  # type: ignore[no-untyped-def]
    """Bits of a number from 1 on, without its first."""
    length = 0
    while beyond >> (length + 1):
        length += 1
    return length


@njit(nogil=True, error_model="numpy")
def seed_bits(tables, mean, scale, seed):  # type: ignore[no-untyped-def]
    """What a seed costs by its law."""
    number, _, symbol = symbol_of(tables, mean, scale, seed)
    cost = tables.bits[symbol] + tables.raw_bits[scale]
    beyond = abs(number) - np.int64(tables.reach[scale])
    if beyond > 0:
        cost += 1 + LENGTH_BITS + length_of(beyond)
    return np.float32(cost)


@njit(nogil=True, error_model="numpy")
def cost_slopes(tables, mean, scale, seed):  # type: ignore[no-untyped-def]
    """By how much a seed costs more for an eighth more of the mean, and for an eighth more of the log-scale."""
    by_mean = (seed_bits(tables, mean + 2, scale, seed) - seed_bits(tables, mean - 2, scale, seed)) / 4
    low, high = max(0, scale - 1), min(SCALES - 1, scale + 1)
    by_scale = (seed_bits(tables, mean, high, seed) - seed_bits(tables, mean, low, seed)) / (high - low)
    return np.float32(by_mean), np.float32(by_scale)
