"""What is seen of a picture with alpha, and what should lie where nothing is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from core.codec.images import Picture, Pixels

_BAND_ROWS = 256
"""Rows that are worked on at a time: less memory."""

_Levels = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]


def seen(pixels: Pixels) -> Pixels:
    """Colours multiplied by alpha, as they are over black, rounded to 8 bits, and alpha itself.

    uint8 (height, width, channels). Without alpha (1 or 3 channels), what was given. A colour below alpha 0 becomes 0:
    nobody sees it.
    """
    if pixels.shape[2] != 4:
        return pixels
    result = pixels.copy()
    for first in range(0, len(pixels), _BAND_ROWS):
        band = np.s_[first : first + _BAND_ROWS]
        product = pixels[band, :, :3].astype(np.uint16) * pixels[band, :, 3:]
        result[band, :, :3] = (product + 127) // 255
    return result


def with_hidden_filled(picture: Picture) -> Picture:
    """The picture with smooth colours below alpha 0, made of the visible ones around; none of the hidden ones is left.

    Of pictures that are halved again and again, each coarser one fills the holes of the finer one ("push-pull", Gortler
    et al., "The Lumigraph", 1996, section 3.4). What is seen stays as it is, to the bit.
    """
    if picture.channels != 4:
        return picture
    hidden = picture.pixels[..., 3] == 0
    if not hidden.any():
        return picture
    pixels, visible = picture.pixels.copy(), ~hidden
    counts = _halved(visible)
    for channel in range(3):
        sums = _halved(pixels[..., channel] * visible)
        coarse = np.rint(_filled(_means(sums, counts), counts > 0)).astype(np.uint8)
        for row in (0, 1):  # not interpolated at last, which saves most of the time and memory
            for column in (0, 1):
                holes = hidden[row::2, column::2]
                fill = coarse[: holes.shape[0], : holes.shape[1]]
                np.copyto(pixels[row::2, column::2, channel], fill, where=holes)
    return replace(picture, pixels=pixels)


def _filled(levels: _Levels, known: _Mask) -> _Levels:
    """Levels where they are known, and a smooth continuation elsewhere, 0 where none is; float32 (height, width)."""
    if known.all() or not known.any():
        return levels
    counts = _halved(known)
    sums = _halved(levels * known)
    coarse = _filled(_means(sums, counts), counts > 0)
    return np.where(known, levels, _doubled(coarse, levels.shape))


def _halved(values: npt.NDArray[Any]) -> _Levels:
    """Sums of 2×2; a missing last row or column counts as 0."""
    height, width = values.shape
    result = np.zeros(((height + 1) // 2, (width + 1) // 2), dtype=np.float32)
    for row in (0, 1):
        for column in (0, 1):
            part = values[row::2, column::2]
            result[: part.shape[0], : part.shape[1]] += part
    return result


def _means(sums: _Levels, counts: _Levels) -> _Levels:
    return np.divide(sums, np.maximum(counts, 1), dtype=np.float32)


def _doubled(values: _Levels, shape: tuple[int, ...]) -> _Levels:
    """Twice as large and cut to the shape, with weights of 3/4 and 1/4 between neighbours."""
    for axis in (0, 1):
        padded = np.pad(values, [(1, 1) if other == axis else (0, 0) for other in (0, 1)], mode="edge")
        padded = np.moveaxis(padded, axis, 0)
        middle = padded[1:-1]
        pairs = np.stack([0.75 * middle + 0.25 * padded[:-2], 0.75 * middle + 0.25 * padded[2:]], axis=1)
        values = np.moveaxis(pairs.reshape(-1, pairs.shape[2]), 0, axis)
    return np.asarray(values[: shape[0], : shape[1]], dtype=np.float32)
