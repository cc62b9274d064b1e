"""Rows C5 and C8 of the faults: the first frame of an animation, and which way is up."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from regrow.core.codec.images import read_picture
from tests.pictures import image_file, smooth_pixels
from tests.png_files import RGB, PngFile, chunk
from tests.webp_files import ALPHA, ANIMATED, animation


@pytest.mark.parametrize("back", [bytes(4), b"\xff\xff\xff\xff", b"\0\0\xff\xff"], ids=["none", "white", "red"])
@pytest.mark.parametrize("flags", [ANIMATED, ANIMATED | ALPHA], ids=["no-alpha-flag", "alpha-flag"])
def test_C5_what_the_first_frame_does_not_cover_is_transparent(flags: int, back: bytes) -> None:
    frame = smooth_pixels(10, 12)
    pixels = read_picture(animation(frame, 6, 4, (30, 20), flags, back)).pixels
    expected = np.zeros((20, 30, 4), np.uint8)
    expected[4:14, 6:18] = np.dstack([frame, np.full((10, 12), 255)])
    np.testing.assert_array_equal(pixels, expected)


def test_C5_a_frame_that_covers_the_canvas_stays_opaque() -> None:
    frame = smooth_pixels(20, 30)
    np.testing.assert_array_equal(read_picture(animation(frame, 0, 0, (30, 20))).pixels, frame)


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


_XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>"""
_OPTIONS = {"PNG": {}, "JPEG": {"quality": 95}, "WEBP": {"lossless": True}}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_C8_exif_turns_every_kind_of_file(kind: str, orientation: int) -> None:
    image = Image.fromarray(smooth_pixels(8, 12))
    plain = read_picture(image_file(image, kind, **_OPTIONS[kind])).pixels
    turned = Image.fromarray(plain)
    turned.info["exif"] = _exif(orientation).tobytes()
    turned = ImageOps.exif_transpose(turned)
    data = image_file(image, kind, exif=_exif(orientation), **_OPTIONS[kind])
    np.testing.assert_array_equal(read_picture(data).pixels, np.asarray(turned))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_C8_xmp_does_not_turn(kind: str) -> None:
    data = image_file(Image.fromarray(smooth_pixels(8, 12)), kind, xmp=_XMP)
    assert _XMP in data
    assert read_picture(data).width == 12


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_C8_exif_counts_beside_xmp(kind: str) -> None:
    options = {} if kind == "PNG" else {"xmp": _XMP}
    data = image_file(Image.fromarray(smooth_pixels(8, 12)), kind, exif=_exif(3), **options)
    assert read_picture(data).width == 12


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + _XMP), id="XMP"),
        pytest.param(chunk(b"tEXt", b"exif\0" + _exif(6).tobytes()[6:]), id="text-called-exif"),
        pytest.param(
            chunk(b"tEXt", b"Raw profile type exif\0\nexif\n%8d\n" % 32 + _exif(6).tobytes().hex().encode()),
            id="raw-profile-of-ImageMagick",
        ),
        pytest.param(chunk(b"eXIf", b"MM\0*\0\0"), id="cut-EXIF"),
        pytest.param(chunk(b"eXIf", b"no EXIF at all"), id="no-EXIF"),
    ],
)
def test_C8_nothing_else_turns_a_png(before: bytes) -> None:
    assert read_picture(PngFile(smooth_pixels(8, 12), RGB, 8, before=before).to_bytes()).width == 12


def test_C8_exif_behind_the_pixels_of_a_png_counts() -> None:
    after = chunk(b"eXIf", _exif(6).tobytes()[6:])
    assert read_picture(PngFile(smooth_pixels(8, 12), RGB, 8, after=after).to_bytes()).height == 12
