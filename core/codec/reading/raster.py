"""Decoded samples, before they are one of our pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Raster:
    """colour: uint8 or uint16 over its full range, (height, width, channels) with 1 (grey), 3 (RGB) or, uint8 only,
    4 (CMYK, 255 is full ink) channels. alpha: of the same dtype, (height, width); None where nothing is transparent."""

    colour: Samples
    alpha: Samples | None = None


def eight_bits(samples: Samples) -> Bytes:
    """The nearest of 256 levels: a 16-bit level is divided by 257 and rounded, so that 0 and 65535 stay the ends."""
    if samples.dtype == np.uint8:
        return samples.astype(np.uint8, copy=False)
    nearest: Bytes = ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return nearest
