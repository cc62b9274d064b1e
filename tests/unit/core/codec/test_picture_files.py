"""Files that browsers show hold the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from core.codec.images import Picture
from core.codec.picture_files import FileKind, write_picture
from tests.pictures import smooth_picture


def _read(data: bytes, channels: int) -> np.ndarray:
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    return np.asarray(Image.open(io.BytesIO(data)).convert(mode)).reshape(*Image.open(io.BytesIO(data)).size[::-1], -1)


@pytest.mark.parametrize("kind", [FileKind.PNG, FileKind.WEBP])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_without_loss(kind: FileKind, channels: int) -> None:
    picture = smooth_picture(50, 70, channels)
    assert (_read(write_picture(picture, kind), channels) == picture.pixels).all()


@pytest.mark.parametrize("kind", [FileKind.PNG, FileKind.WEBP])
def test_colours_of_transparent_pixels_are_kept(kind: FileKind) -> None:
    pixels = smooth_picture(40, 40, 4).pixels.copy()
    pixels[10:30, :, 3] = 0
    assert (_read(write_picture(Picture(pixels), kind), 4) == pixels).all()


def test_jpeg_is_over_white() -> None:
    pixels = smooth_picture(40, 40, 4).pixels.copy()
    pixels[..., 3] = 0
    assert (_read(write_picture(Picture(pixels), FileKind.JPEG), 3) > 250).all()


def test_png_is_no_larger_than_the_stored_one() -> None:
    noise = np.random.default_rng(1).integers(-6, 7, (120, 120, 3))
    photo = Picture((smooth_picture(120, 120).pixels + noise).clip(0, 255).astype(np.uint8))
    assert len(write_picture(photo, FileKind.PNG)) < len(photo.to_png())
