"""Tables of frequencies: a Laplace law for every scale, drawn towards what was counted."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from regrow.core.codec.format.seeds.coder import PROBABILITY_BITS
from regrow.core.codec.format.seeds.model import FRACTIONS, LOWEST_SCALE_CODE, SCALES

Floats = npt.NDArray[np.float64]

PRIOR = 2000.0
"""Counts that the Laplace law is worth."""

WIDEST_SCALE = 8.0
"""In symbols; beyond it a number's low bits are written as they are."""

TAIL = 7.0
"""Scales from the mean to where a table ends."""


def fitted_tables(counts: npt.NDArray[np.int64]) -> dict[str, np.ndarray]:
    """The tensors that a model's file has of its tables. counts: core.codec.learn.trace.Trace.counts."""
    raw_bits = [raw_bits_of(scale) for scale in range(SCALES)]
    reach = [reach_of(scale) for scale in range(SCALES)]
    tables = [
        frequencies(_probabilities(counts, scale, fraction))
        for scale in range(SCALES)
        for fraction in range(1 if raw_bits[scale] else FRACTIONS)
    ]
    return {
        "tables.raw_bits": np.array(raw_bits, dtype=np.uint8),
        "tables.reach": np.array(reach, dtype=np.uint8),
        "tables.frequencies": np.concatenate(tables).astype(np.uint16),
    }


def size_of(scale: int) -> float:
    """A law's scale, in seeds, by its number."""
    return math.exp((scale - LOWEST_SCALE_CODE) / 8)


def raw_bits_of(scale: int) -> int:
    """Low bits that are written as they are."""
    return max(0, math.ceil(math.log2(size_of(scale) / WIDEST_SCALE)))


def reach_of(scale: int) -> int:
    """The largest number with a symbol of its own."""
    return min(255, math.ceil(TAIL * size_of(scale) / (1 << raw_bits_of(scale))) + 1)


def _probabilities(counts: npt.NDArray[np.int64], scale: int, fraction: int) -> Floats:
    """Of 0, 1, -1, 2, -2, ... and of all else."""
    bits, reach, size = raw_bits_of(scale), reach_of(scale), size_of(scale)
    numbers = np.arange(-reach, reach + 1)
    low = ((numbers << bits) - 0.5 - (0 if bits else fraction / 8)).astype(np.float64)
    ideal = _below(low + (1 << bits), size) - _below(low, size)
    middle = (counts.shape[2] - 1) // 2
    found = counts[scale].sum(axis=0) if bits else counts[scale, fraction]
    values = np.arange(-middle, middle + 1) >> bits
    seen = np.array([found[values == number].sum() for number in numbers], dtype=np.float64)
    total = float(found.sum())
    mixed = np.maximum((seen + PRIOR * ideal) / (total + PRIOR), 1e-9)
    order = np.concatenate([[reach], *[[reach + n, reach - n] for n in range(1, reach + 1)]]).astype(int)
    rest = max(1 - float(mixed.sum()), 1e-5)
    return np.append(mixed[order], rest)


def _below(values: Floats, size: float) -> Floats:
    """The Laplace law's distribution function around 0."""
    tail = 0.5 * np.exp(-np.abs(values) / size)
    return np.where(values < 0, tail, 1 - tail)


def frequencies(probabilities: Floats) -> npt.NDArray[np.int64]:
    """Whole numbers of at least 1, 2**16 in all; the largest takes what rounding leaves."""
    total = 1 << PROBABILITY_BITS
    shares = probabilities / probabilities.sum()
    counts = 1 + np.floor((total - len(shares)) * shares).astype(np.int64)
    counts[np.argmax(counts)] += total - counts.sum()
    whole: npt.NDArray[np.int64] = counts
    return whole
