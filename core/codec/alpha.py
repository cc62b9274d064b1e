"""What is seen of a picture with alpha, and what should lie where nothing, or little, is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.core.codec.images import Picture, Pixels

_BAND_ROWS = 256
"""Rows that are worked on at a time: less memory."""

_Levels = npt.NDArray[np.float32]


def seen(pixels: Pixels) -> Pixels:
    """Colours multiplied by alpha, as they are over black, rounded to 8 bits, and alpha itself.

    uint8 (height, width, channels). Without alpha (1 or 3 channels), what was given. A colour below alpha 0 becomes 0:
    nobody sees it.
    """
    if pixels.shape[2] != 4:
        return pixels
    result = pixels.copy()
    for channel in range(3):
        result[..., channel] = _over_black(pixels[..., channel], pixels[..., 3])
    return result


def _over_black(values: Pixels, alpha: Pixels) -> Pixels:
    """Values (height, width) as they look over black with this alpha; all uint8."""
    shown = np.empty_like(alpha)
    for first in range(0, len(alpha), _BAND_ROWS):
        band = np.s_[first : first + _BAND_ROWS]
        shown[band] = (values[band].astype(np.uint16) * alpha[band] + 127) // 255
    return shown


def with_hidden_filled(picture: Picture) -> Picture:
    """The picture with smooth colours where alpha hides them, made of what is seen around; nothing hidden is left.

    Of a value below an alpha under 255 is seen (`seen`) only that it lies in an interval some 255/alpha wide: the value
    of the interval that is nearest to a smooth fill takes its place. What is seen stays as it is, to the bit.

    The fill: of pictures that are halved again and again, each coarser one fills the finer one as far as its pixels
    have no weight of their own ("push-pull", Gortler et al., "The Lumigraph", 1996, section 3.4). The weight is alpha.
    """
    if picture.channels != 4:
        return picture
    alpha = picture.pixels[..., 3]
    if (alpha == 255).all():
        return picture
    pixels, weights = picture.pixels.copy(), _halved(alpha) / np.float32(255)
    for channel in range(3):
        shown = _over_black(picture.pixels[..., channel], alpha)
        coarse = np.rint(_filled(_means(_halved(shown), weights), np.minimum(weights, 1))).astype(np.uint8)
        for row in (0, 1):  # not interpolated at last, which saves most of the time and memory
            for column in (0, 1):
                part = np.s_[row::2, column::2]
                _put_nearest(pixels[part][..., channel], coarse, shown[part], alpha[part])
    return replace(picture, pixels=pixels)


def _put_nearest(values: Pixels, fill: Pixels, shown: Pixels, alpha: Pixels) -> None:
    """Into values, those nearest to the fill that are seen as what is shown; fill may have a row or column more."""
    fill = fill[: alpha.shape[0], : alpha.shape[1]]
    np.copyto(values, fill, where=alpha == 0)
    faint = (alpha > 0) & (alpha < 255)
    seen_as = alpha[faint], shown[faint]
    values[faint] = np.clip(fill[faint], _LEAST[seen_as], _MOST[seen_as])


def _intervals() -> tuple[Pixels, Pixels]:
    """The least and the most value that is seen as some value below some alpha; uint8 (alpha, value seen).

    Alpha 0, and what is never seen because it is more than alpha, have intervals of no meaning.
    """
    alpha, value = np.maximum(np.arange(256), 1)[:, None], np.arange(256)[None]
    least, most = -((127 - 255 * value) // alpha), (255 * value + 127) // alpha
    return least.clip(0, 255).astype(np.uint8), most.clip(0, 255).astype(np.uint8)


_LEAST, _MOST = _intervals()


def _filled(levels: _Levels, weights: _Levels) -> _Levels:
    """Levels as far as they have weight, 0..1, and a smooth continuation beyond, 0 where none is; float32 (height,
    width)."""
    if (weights == 1).all() or not weights.any():
        return levels
    own = _halved(weights)
    sums = _halved(levels * weights)
    coarse = _doubled(_filled(_means(sums, own), np.minimum(own, 1)), levels.shape)
    return np.asarray(coarse + weights * (levels - coarse), dtype=np.float32)


def _halved(values: npt.NDArray[Any]) -> _Levels:
    """Sums of 2×2; a missing last row or column counts as 0."""
    height, width = values.shape
    result = np.zeros(((height + 1) // 2, (width + 1) // 2), dtype=np.float32)
    for row in (0, 1):
        for column in (0, 1):
            part = values[row::2, column::2]
            result[: part.shape[0], : part.shape[1]] += part
    return result


def _means(sums: _Levels, weights: _Levels) -> _Levels:
    """Sums over weights; 0 where nothing has weight."""
    return np.divide(sums, weights, out=np.zeros_like(sums), where=weights > 0)


def _doubled(values: _Levels, shape: tuple[int, ...]) -> _Levels:
    """Twice as large and cut to the shape, with weights of 3/4 and 1/4 between neighbours."""
    for axis in (0, 1):
        padded = np.pad(values, [(1, 1) if other == axis else (0, 0) for other in (0, 1)], mode="edge")
        padded = np.moveaxis(padded, axis, 0)
        middle = padded[1:-1]
        pairs = np.stack([0.75 * middle + 0.25 * padded[:-2], 0.75 * middle + 0.25 * padded[2:]], axis=1)
        values = np.moveaxis(pairs.reshape(-1, pairs.shape[2]), 0, axis)
    return np.asarray(values[: shape[0], : shape[1]], dtype=np.float32)
