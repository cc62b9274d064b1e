"""Weight noise for training: a function of rule, iteration and weight, the same on every device, in every batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

IntegerArray = Any
"""An int64 array of numpy or of torch: both wrap around on overflow, which is all that is needed here."""

_MASK = 0xFFFFFFFF
UNIFORM_BITS = 24
"""Bits of the hash that are used: as many as float32 holds exactly."""


def rule_keys(identities: Sequence[tuple[int, int]]) -> npt.NDArray[np.int64]:
    """One 32-bit key per rule, each from its (seed number, patch number); int64 (G,)."""
    states = [np.random.SeedSequence(identity).generate_state(1)[0] for identity in identities]
    return np.array(states, dtype=np.int64)


def uniform_bits(keys: IntegerArray, iteration: int, positions: IntegerArray) -> IntegerArray:
    """Uniform integers of 24 bits; keys (G, 1) and positions (1, n), int64, to int64 (G, n).

    The finaliser of MurmurHash3, as in core.codec.fire.
    """
    value = (keys + (iteration * 0x9E3779B1 & _MASK) + positions * 0x85EBCA77) & _MASK
    value = value ^ (value >> 16)
    value = (value * 0x85EBCA6B) & _MASK
    value = value ^ (value >> 13)
    value = (value * 0xC2B2AE35) & _MASK
    value = value ^ (value >> 16)
    return value >> (32 - UNIFORM_BITS)
