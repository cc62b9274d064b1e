"""Rows I1, I2, I4, I6, I7, I9, I10 of the checklist, at the level of the codec."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from regrow.core.codec.images import ImageLimits, Picture, read_picture
from regrow.core.errors import DamagedImage, ImageTooLarge, UnsupportedImage
from tests.pictures import image_file, png_header_only, smooth_file, smooth_pixels


def _gif() -> bytes:
    return image_file(Image.fromarray(smooth_pixels(8, 8)), "GIF")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="I1-empty"),
        pytest.param(b"<!doctype html><html></html>", id="I1-html"),
        pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg"/>', id="I1-svg"),
        pytest.param(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", id="I1-heic"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", id="I1-eps"),
        pytest.param(_gif(), id="I1-gif"),
    ],
)
def test_other_kinds_of_file_are_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedImage, match="not a PNG, JPEG or WebP"):
        read_picture(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_files_are_damaged(kind: str, share: float) -> None:
    """I2"""
    data = smooth_file(64, 64, kind)
    with pytest.raises(DamagedImage):
        read_picture(data[: int(len(data) * share)])


@pytest.mark.parametrize("side", [50_000, 12_000])
def test_sizes_beyond_the_limits_are_refused_from_the_header(side: int) -> None:
    """I4: no pixel is decoded, so the lie costs nothing."""
    with pytest.raises(ImageTooLarge):
        read_picture(png_header_only(side, side))


def test_own_limits_apply_to_real_images() -> None:
    """I4"""
    limits = ImageLimits(max_side=100, max_pixels=5000)
    assert read_picture(smooth_file(50, 100), limits).width == 100
    with pytest.raises(ImageTooLarge, match="101×10"):
        read_picture(smooth_file(10, 101), limits)
    with pytest.raises(ImageTooLarge):
        read_picture(smooth_file(51, 100), limits)


@pytest.mark.parametrize(("width", "height"), [(0, 0), (1, 0), (0, 1)])
def test_sides_of_zero_are_damaged(width: int, height: int) -> None:
    """I6"""
    with pytest.raises(DamagedImage, match="at least 1 pixel"):
        read_picture(png_header_only(width, height))


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (39, 41), (40, 40), (41, 41), (120, 120)])
def test_pixels_survive_a_png_round_trip(size: tuple[int, int]) -> None:
    """I7"""
    pixels = smooth_pixels(*size)
    picture = read_picture(Picture(pixels).to_png())
    np.testing.assert_array_equal(picture.pixels, pixels)


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    """I9"""
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    picture = read_picture(image_file(Image.fromarray(ramp)))
    assert picture.channels == 1
    np.testing.assert_array_equal(picture.pixels.reshape(-1), np.arange(256))


@pytest.mark.parametrize(
    ("mode", "channels"), [("1", 1), ("L", 1), ("LA", 4), ("P", 3), ("RGB", 3), ("RGBA", 4), ("CMYK", 3)]
)
def test_modes_become_one_three_or_four_channels(mode: str, channels: int) -> None:
    """I9"""
    rgba = np.dstack([smooth_pixels(9, 7), np.full((9, 7), 100, np.uint8)])
    image = Image.fromarray(rgba[..., :3] if mode == "P" else rgba).convert(mode)
    picture = read_picture(image_file(image, "JPEG" if mode == "CMYK" else "PNG"))
    assert picture.pixels.shape == (9, 7, channels)
    if channels == 4:
        assert (picture.pixels[..., 3] == 100).all()


def test_sixteen_bit_grey_keeps_its_transparent_level() -> None:
    """I9: tRNS"""
    levels = np.full((4, 4), 30_000, dtype=np.uint16)
    levels[2, 1] = 1000
    picture = read_picture(image_file(Image.fromarray(levels), transparency=1000))
    assert picture.channels == 4
    assert picture.pixels[2, 1, 3] == 0
    assert (picture.pixels[..., 3] == 0).sum() == 1


def test_transparent_colour_becomes_alpha() -> None:
    """I9: tRNS"""
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[1, 1] = (10, 20, 30)
    picture = read_picture(image_file(Image.fromarray(pixels), transparency=(10, 20, 30)))
    assert picture.channels == 4
    assert picture.pixels[1, 1, 3] == 0
    assert picture.pixels[0, 0, 3] == 255


def test_alpha_that_is_opaque_everywhere_is_dropped() -> None:
    rgba = np.dstack([smooth_pixels(5, 5), np.full((5, 5), 255, np.uint8)])
    assert read_picture(image_file(Image.fromarray(rgba))).channels == 3


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8, 99])
def test_exif_orientation_is_applied(orientation: int) -> None:
    """I10: 99 means nothing and is ignored."""
    corner = np.zeros((16, 24, 3), np.uint8)
    corner[:8, :8] = 255  # the top-left as stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read_picture(image_file(Image.fromarray(corner), "PNG", exif=exif))
    shown = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    assert (picture.height, picture.width) == ((24, 16) if 5 <= orientation <= 8 else (16, 24))
    assert picture.pixels[shown.get(orientation, (0, 0))].min() == 255
    assert picture.pixels.reshape(-1, 3).min(axis=1).sum() == 64 * 255


def test_png_output_carries_no_metadata() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret"
    data = image_file(Image.fromarray(smooth_pixels(8, 8)), "JPEG", exif=exif, comment=b"another")
    image = Image.open(io.BytesIO(read_picture(data).to_png()))
    assert not image.info
    assert not image.getexif()
