"""Row C7 of the faults: colours become sRGB by what the file says of them, as in browsers."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from regrow.core.codec.images import read_picture
from regrow.core.errors import UnsupportedImage
from tests.colour_profiles import (
    ADOBE_XY,
    BT2020_XY,
    D65,
    P3_XY,
    SRGB_XY,
    cmyk_profile,
    encoded,
    grey_profile,
    hdr_profile,
    rgb_profile,
    shown,
)
from tests.pictures import image_file, smooth_pixels
from tests.png_files import GREY, RGB, RGBA, PngFile, chunk

_LEVELS = smooth_pixels(12, 16)
_SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _iccp(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"name\0\0" + zlib.compress(profile))


def _gama(gamma: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))


def _chrm(corners: tuple[float, ...], white: tuple[float, float] = D65) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in (*white, *corners))))


def _cicp(primaries: int, transfer: int, matrix: int = 0, full: int = 1) -> bytes:
    return chunk(b"cICP", bytes([primaries, transfer, matrix, full]))


def _png(before: bytes, levels: np.ndarray = _LEVELS, kind: int = RGB, depth: int = 8) -> bytes:
    return PngFile(levels, kind, depth, before=before).to_bytes()


_P3, _LINEAR = _iccp(rgb_profile(P3_XY, 2.2)), _gama(1.0)
_SRGB_CHUNK = chunk(b"sRGB", b"\0")


@pytest.mark.parametrize(("corners", "gamma"), [(P3_XY, 2.2), (ADOBE_XY, 2.19921875), (SRGB_XY, 1.0), (SRGB_XY, 1.8)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_C7_an_embedded_profile_is_obeyed(kind: str, corners: tuple[float, ...], gamma: float) -> None:
    """Tolerance: 8-bit tables of LittleCMS; a lossy file's own levels are what is converted."""
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    plain = image_file(Image.fromarray(_LEVELS), kind, **options)
    data = image_file(Image.fromarray(_LEVELS), kind, icc_profile=rgb_profile(corners, gamma), **options)
    read = read_picture(data)
    levels = read_picture(plain).pixels / 255
    assert np.abs(read.pixels - shown(levels, corners, gamma)).max() < 1.6
    assert np.abs(read.pixels.astype(int) - _LEVELS).max() > 8
    assert read.colours == "converted to sRGB from test pink"


def test_C7_cmyk_with_a_profile() -> None:
    ink = np.zeros((8, 24, 4), np.uint8)
    ink[:, 8:16, 3] = 255
    ink[:, 16:, 3] = 128
    data = image_file(Image.fromarray(ink, "CMYK"), "JPEG", quality=100, icc_profile=cmyk_profile())
    picture = read_picture(data)
    assert picture.colours == "converted to sRGB from test pink"
    white, black, grey = picture.pixels[4, [4, 12, 20]].astype(int)
    assert white.min() >= 253
    assert black.max() <= 2
    assert np.abs(grey - 119).max() <= 3, "L* 50"


def test_C7_a_profile_of_ink_on_a_picture_of_light_is_ignored() -> None:
    picture = read_picture(image_file(Image.fromarray(_LEVELS), icc_profile=cmyk_profile()))
    np.testing.assert_array_equal(picture.pixels, _LEVELS)
    assert picture.colours == "taken as sRGB"


def test_C7_transparency_stays_as_it_is() -> None:
    levels = np.dstack([_LEVELS, np.full((12, 16), 77, np.uint8)])
    pixels = read_picture(_png(_P3, levels, RGBA)).pixels
    assert (pixels[..., 3] == 77).all()
    np.testing.assert_array_equal(pixels[..., :3], read_picture(_png(_P3)).pixels)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(_iccp(_SRGB_PROFILE), id="profile"),
        pytest.param(_SRGB_CHUNK, id="sRGB"),
        pytest.param(_cicp(1, 13), id="cICP"),
        pytest.param(_gama(0.45455), id="gAMA"),
        pytest.param(_gama(0.45455) + _chrm(SRGB_XY), id="gAMA-cHRM"),
        pytest.param(_chrm(SRGB_XY), id="cHRM"),
        pytest.param(_SRGB_CHUNK + _LINEAR, id="sRGB-before-gAMA"),
        pytest.param(_iccp(_SRGB_PROFILE) + _LINEAR, id="profile-before-gAMA"),
        pytest.param(_cicp(1, 13) + _P3, id="cICP-before-profile"),
    ],
)
def test_C7_what_is_srgb_already_stays_to_the_level(before: bytes) -> None:
    read = read_picture(_png(before))
    np.testing.assert_array_equal(read.pixels, _LEVELS)
    assert read.colours == "sRGB"


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(_iccp(b"no profile" * 20), id="no-profile"),
        pytest.param(_iccp(rgb_profile(P3_XY, 2.2)[:150]), id="cut-profile"),
        pytest.param(_iccp(grey_profile(1.0)), id="profile-of-grey"),
        pytest.param(_gama(0.0), id="gamma-0"),
        pytest.param(_chrm((0.0,) * 6, (0.0, 0.0)), id="cHRM-of-zeros"),
        pytest.param(_chrm((0.3,) * 6, (0.3, 0.3)), id="cHRM-of-a-point"),
        pytest.param(_cicp(2, 2), id="cICP-unspecified"),
        pytest.param(_cicp(12, 13, matrix=1), id="cICP-of-YCbCr"),
        pytest.param(chunk(b"cICP", b"\x0c\x0d\0"), id="cICP-too-short"),
    ],
)
def test_C7_what_makes_no_sense_is_ignored(before: bytes) -> None:
    read = read_picture(_png(before))
    np.testing.assert_array_equal(read.pixels, _LEVELS)
    assert read.colours == "taken as sRGB"


@pytest.mark.parametrize(
    ("before", "corners", "gamma"),
    [
        pytest.param(_LINEAR, SRGB_XY, 1.0, id="gAMA"),
        pytest.param(_gama(1 / 1.8), SRGB_XY, 1.8, id="gAMA-of-a-mac"),
        pytest.param(_gama(0.45455) + _chrm(ADOBE_XY), ADOBE_XY, 2.2, id="gAMA-cHRM"),
        pytest.param(_cicp(12, 13), P3_XY, None, id="cICP-Display-P3"),
        pytest.param(_cicp(12, 8), P3_XY, 1.0, id="cICP-linear-P3"),
        pytest.param(_cicp(9, 4), BT2020_XY, 2.2, id="cICP-2020"),
        pytest.param(_cicp(1, 8) + _P3 + _SRGB_CHUNK, SRGB_XY, 1.0, id="cICP-first"),
        pytest.param(_P3 + _SRGB_CHUNK + _LINEAR, P3_XY, 2.2, id="profile-second"),
        pytest.param(_iccp(b"broken") + _LINEAR, SRGB_XY, 1.0, id="gAMA-behind-a-broken-profile"),
    ],
)
@pytest.mark.parametrize("depth", [8, 16])
def test_C7_numbers_of_a_png_are_obeyed(
    before: bytes, corners: tuple[float, ...], gamma: float | None, depth: int
) -> None:
    levels = np.minimum(_LEVELS.astype(int) * 257 + 100, 65535) if depth == 16 else _LEVELS
    read = read_picture(_png(before, levels, depth=depth))
    expected = shown(levels / ((1 << depth) - 1), corners, gamma)
    assert np.abs(read.pixels - expected).max() < 1.6
    assert read.colours.startswith("converted to sRGB from ")


def test_C7_a_white_that_is_not_d65_becomes_white() -> None:
    levels = np.arange(0, 256, 15).repeat(3).reshape(1, -1, 3)
    pixels = read_picture(_png(_gama(0.45455) + _chrm(ADOBE_XY, (0.3457, 0.3585)), levels)).pixels
    assert np.ptp(pixels.astype(int), axis=-1).max() <= 1
    assert pixels[0, -1].tolist() == [255, 255, 255]


def test_C7_narrow_range_is_widened() -> None:
    pixels = read_picture(_png(_cicp(1, 13, full=0), np.array([[[16, 235, 0], [126, 126, 255]]]))).pixels
    assert pixels.tolist() == [[[0, 255, 0], [128, 128, 255]]]


@pytest.mark.parametrize("before", [_LINEAR, _iccp(grey_profile(1.0)), _iccp(rgb_profile(SRGB_XY, 1.0))])
def test_C7_grey_stays_grey(before: bytes) -> None:
    levels = np.arange(256).reshape(16, 16, 1)
    picture = read_picture(_png(before, levels, GREY))
    assert picture.channels == 1
    assert np.abs(picture.pixels - 255 * encoded(levels / 255)).max() < 2


@pytest.mark.parametrize(
    ("data", "name"),
    [
        pytest.param(_png(_cicp(9, 16)), "PQ", id="cICP-PQ"),
        pytest.param(_png(_cicp(9, 18)), "HLG", id="cICP-HLG"),
        pytest.param(image_file(Image.fromarray(_LEVELS), icc_profile=hdr_profile(16)), "PQ", id="profile-PQ"),
        pytest.param(image_file(Image.fromarray(_LEVELS), "JPEG", icc_profile=hdr_profile(18)), "HLG", id="JPEG-HLG"),
    ],
)
def test_C7_hdr_is_refused_with_a_word(data: bytes, name: str) -> None:
    with pytest.raises(UnsupportedImage, match=rf"HDR \({name}\).*standard dynamic range"):
        read_picture(data)


def test_C7_a_name_that_is_no_text_does_not_reach_the_report() -> None:
    profile = rgb_profile(P3_XY, 2.2).replace(b"test pink", b"<b>\x1b\n\xff\x07x")
    words = read_picture(image_file(Image.fromarray(_LEVELS), icc_profile=profile)).colours
    assert words.isascii()
    assert words.isprintable()
