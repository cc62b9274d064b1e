"""Pictures with a patch that a faulty worker (faulty_worker.py) stumbles over."""

from __future__ import annotations

from PIL import Image

from tests.pictures import image_file, smooth_pixels

POISON = (1, 2, 3)
"""Colour of the first pixel of such a patch."""


def poisoned_file(height: int, width: int, patch: int) -> bytes:
    """A PNG of which one patch is poison."""
    pixels = smooth_pixels(height, width)
    row, column = divmod(patch, -(-width // 40))
    pixels[40 * row, 40 * column] = POISON
    return image_file(Image.fromarray(pixels))
