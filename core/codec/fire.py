"""Which cells update at which step, when updates are asynchronous.

The mask is a pure function of (key, step, cell), so the decoder fires exactly the cells that the encoder trained with,
in any order and on any machine. Fire rate 0 means synchronous: every cell updates at every step (the paper's default).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def threshold(fire_rate: float) -> int:
    """The mask's 32-bit threshold: a cell fires where its hash is below it. 2**32 for rate 0 (synchronous) and 1."""
    return 1 << 32 if fire_rate == 0.0 else round(fire_rate * (1 << 32))


def fire_mask(key: int, step: int, height: int, width: int, fire_rate: float) -> npt.NDArray[np.bool_]:
    """True where a cell updates at `step` (0-based); bool (height, width).

    The hash is the finaliser of MurmurHash3 (Appleby, public domain) over key, step and the row-major cell number,
    each first multiplied by an odd constant, all modulo 2**32.
    """
    cells = np.arange(height * width, dtype=np.uint64)
    start = (key * 0x9E3779B1 + step * 0x85EBCA77) & 0xFFFFFFFF
    value = (cells * np.uint64(0xC2B2AE3D) + np.uint64(start)) & np.uint64(0xFFFFFFFF)
    value ^= value >> np.uint64(16)
    value = (value * np.uint64(0x85EBCA6B)) & np.uint64(0xFFFFFFFF)
    value ^= value >> np.uint64(13)
    value = (value * np.uint64(0xC2B2AE35)) & np.uint64(0xFFFFFFFF)
    value ^= value >> np.uint64(16)
    return (value < np.uint64(threshold(fire_rate))).reshape(height, width)


def fire_masks(key: int, steps: int, height: int, width: int, fire_rate: float) -> npt.NDArray[np.bool_]:
    """The masks of a whole rollout; bool (steps, height, width)."""
    return np.stack([fire_mask(key, step, height, width, fire_rate) for step in range(steps)])
