"""Turning a picture upright by the EXIF tag 0x0112. Nothing else is obeyed: browsers ignore XMP's, too."""

from __future__ import annotations

import numpy as np
from PIL import Image

from regrow.core.codec.reading.raster import Bytes

_TAG = 0x0112


def orientation_of(exif: bytes | None) -> int:
    """1 to 8. EXIF that cannot be read, or has another value, is as none: 1."""
    if not exif:
        return 1
    tags = Image.Exif()
    try:
        tags.load(exif)
        value = tags.get(_TAG)
    except Exception:  # whatever Pillow makes of bytes that anybody may have written
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright(pixels: Bytes, orientation: int) -> Bytes:
    """(height, width, channels) as stored to as meant (CIPA DC-008, 4.6.5.1.6). 5 to 8 swap height and width."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    flip_rows, flip_columns = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    if flip_rows:
        pixels = pixels[::-1]
    if flip_columns:
        pixels = pixels[:, ::-1]
    return np.require(pixels, requirements=["C", "W"])
