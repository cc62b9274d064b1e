"""Rows C3 and C8 of the faults: what of a JPEG must be there, and which kinds are read."""

from __future__ import annotations

import io
import re

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from regrow.core.codec.images import read_picture, read_size
from regrow.core.codec.reading.jpeg_segments import EOI
from regrow.core.errors import DamagedImage, UnsupportedImage
from tests.colour_profiles import P3_XY, rgb_profile
from tests.pictures import image_file

_FILES = {
    "baseline-444": ("RGB", {"subsampling": 0}),
    "baseline-420": ("RGB", {"subsampling": 2}),
    "baseline-grey": ("L", {}),
    "baseline-cmyk": ("CMYK", {}),
    "optimised": ("RGB", {"optimize": True}),
    "restarts": ("RGB", {"restart_marker_blocks": 2}),
    "restarts-grey": ("L", {"restart_marker_rows": 1}),
    "progressive-444": ("RGB", {"progressive": True, "subsampling": 0}),
    "progressive-422": ("RGB", {"progressive": True, "subsampling": 1}),
    "progressive-grey": ("L", {"progressive": True}),
    "progressive-restarts": ("RGB", {"progressive": True, "restart_marker_blocks": 3}),
}


def _textured(mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(8)
    coarse = rng.integers(0, 256, (5, 7, 4 if mode == "CMYK" else 3)).repeat(8, axis=0).repeat(8, axis=1)
    levels = (coarse + rng.integers(-12, 13, coarse.shape)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(levels, mode if mode == "CMYK" else "RGB").convert(mode)


def _jpeg(name: str) -> bytes:
    mode, options = _FILES[name]
    return image_file(_textured(mode), "JPEG", quality=85, **options)


def _cuts(data: bytes) -> list[int]:
    """At and in every marker and its length, and all over the rest."""
    markers = [found.start() for found in re.finditer(rb"\xff[^\x00\xff]", data)]
    around = {at + offset for at in markers for offset in range(5)}
    return sorted(cut for cut in around | set(range(4, len(data), 23)) if 4 <= cut < len(data) - 2)


def _ending(data: bytes, cut: int) -> list[bytes]:
    """Cut there, with an end marker, and with zeros in place of the rest, or up to the end marker: of a few bytes,
    zeros may be another picture's data, as valid."""
    zeros = bytes(len(data) - cut - 2)
    holes = [data[:cut] + zeros + b"\0\0", data[:cut] + zeros + EOI] if len(zeros) > 4 else []
    return [data[:cut], data[:cut] + EOI, *holes]


@pytest.mark.parametrize("name", list(_FILES))
def test_C3_a_cut_file_is_damaged_or_has_all_its_pixels(name: str) -> None:
    data = _jpeg(name)
    whole = read_picture(data).pixels
    accepted = 0
    for cut in _cuts(data):
        for broken in _ending(data, cut):
            try:
                pixels = read_picture(broken).pixels
            except DamagedImage:
                continue
            accepted += 1
            np.testing.assert_array_equal(pixels, whole, err_msg=f"cut at {cut} of {len(data)}")
    assert accepted < 20, "only cuts in the last bits can do no harm"


@pytest.mark.parametrize("name", list(_FILES))
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: data[:-2], id="no-EOI"),
        pytest.param(lambda data: data[:-1], id="half-an-EOI"),
        pytest.param(lambda data: data + b"\0" * 100, id="zeros-behind"),
        pytest.param(lambda data: data + b"a trailer of a telephone", id="trailer"),
        pytest.param(lambda data: data[:-2] + b"\0\0\0" + EOI, id="three-zeros-left-over"),
        pytest.param(lambda data: data[:-2] + b"\0" * 64 + EOI, id="64-zeros-left-over"),
        pytest.param(lambda data: data[:-2] + b"junk" * 9 + EOI, id="junk-left-over"),
        pytest.param(lambda data: data[:-2] + b"\xff\xff" + EOI, id="fill-bytes"),
        pytest.param(lambda data: data.replace(b"JFIF\0\1\1", b"JFIF\0\7\1"), id="JFIF-of-the-future"),
        pytest.param(lambda data: data[:2] + b"\xff\xe1\0\2\xff\xfe\0\4ab" + data[2:], id="empty-segments"),
    ],
)
def test_C3_a_whole_file_is_read_whatever_is_around_it(name: str, change) -> None:
    data = _jpeg(name)
    np.testing.assert_array_equal(read_picture(change(data)).pixels, read_picture(data).pixels)


def _odd_subsampling() -> bytes:
    """Grey with factors 2×1 of its only component: T.81 has one block per MCU all the same."""
    data = bytearray(_jpeg("baseline-444"))
    frame = data.index(b"\xff\xc0")
    assert data[frame + 11] == 0x11
    data[frame + 11 : frame + 18 : 3] = b"\x21\x21\x21"  # the blocks in another order: as valid, another picture
    return bytes(data)


def test_C3_a_subsampling_that_simplejpeg_does_not_know_is_judged_by_the_pixels() -> None:
    data = _odd_subsampling()
    assert read_picture(data).pixels.shape == (40, 56, 3)
    for cut in range(len(data) // 2, len(data) - 20, 97):
        with pytest.raises(DamagedImage):
            read_picture(data[:cut] + EOI)


@pytest.mark.parametrize("value", [0, 255])
def test_C3_a_flat_picture_whose_data_is_all_zeros_is_whole(value: int) -> None:
    data = image_file(Image.new("L", (256, 256), value), "JPEG", optimize=True)
    assert (read_picture(data).pixels == value).all()
    assert (read_picture(data[:-2]).pixels == value).all()


@pytest.mark.parametrize("name", list(_FILES))
def test_C3_pixels_are_as_another_decoder_has_them(name: str) -> None:
    """Tolerance: a level, for the standard leaves the rounding of the inverse DCT and of the conversion of colours to
    the decoder. Both upsample chroma alike."""
    data = _jpeg(name)
    if name == "baseline-cmyk":
        return  # what RGB an ink is, no standard says
    other = imagecodecs.jpeg8_decode(data)
    pixels = read_picture(data).pixels.astype(int)
    assert np.abs(pixels - other.reshape(pixels.shape)).max() <= 1


@pytest.mark.parametrize("read", [read_picture, read_size])
def test_C8_twelve_bits_are_unsupported_and_not_damage(read) -> None:
    data = imagecodecs.jpeg8_encode(np.arange(4096, dtype=np.uint16).reshape(64, 64), bitspersample=12)
    with pytest.raises(UnsupportedImage, match="12 bits a sample"):
        read(data)


def test_C8_a_hierarchical_jpeg_is_unsupported() -> None:
    with pytest.raises(UnsupportedImage, match="hierarchical"):
        read_picture(_jpeg("baseline-grey").replace(b"\xff\xc0", b"\xff\xc5"))


def test_C8_a_lossless_jpeg_is_read() -> None:
    levels = np.asarray(_textured("L"))
    data = imagecodecs.jpeg8_encode(levels, lossless=True)
    np.testing.assert_array_equal(read_picture(data).pixels[..., 0], levels)
    with pytest.raises(DamagedImage):
        read_picture(data[: len(data) * 2 // 3] + EOI)


def test_C8_the_first_picture_of_an_mpo_is_read() -> None:
    buffer = io.BytesIO()
    first, second = _textured(), Image.new("RGB", (56, 40))
    first.save(buffer, "MPO", save_all=True, append_images=[second], quality=85)
    assert np.abs(read_picture(buffer.getvalue()).pixels.astype(int) - np.asarray(first)).mean() < 12


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2) + body


@pytest.mark.parametrize(
    "segment",
    [
        pytest.param(_segment(0xE0, b"JFIF\0"), id="JFIF"),
        pytest.param(_segment(0xE0, b"JFIF\0\1"), id="JFIF-6"),
        pytest.param(_segment(0xEE, b"Adobe\0"), id="Adobe"),
        pytest.param(_segment(0xE2, b"ICC_PROFILE\0"), id="ICC"),
        pytest.param(_segment(0xE2, b"ICC_PROFILE\0\1"), id="ICC-13"),
        pytest.param(_segment(0xE2, b"ICC_PROFILE\0\1\3"), id="ICC-1-of-3"),
        pytest.param(_segment(0xE2, b"MPF\0MM\0*\xff\xff\xff\xff"), id="MPF"),
        pytest.param(_segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"), id="EXIF"),
    ],
)
def test_C6_broken_metadata_is_as_none(segment: bytes) -> None:
    data = _jpeg("baseline-420")
    read = read_picture(data[:2] + segment + data[2:])
    np.testing.assert_array_equal(read.pixels, read_picture(data).pixels)


def test_C6_adobe_says_whether_the_samples_are_rgb() -> None:
    picture = _textured()
    data = image_file(picture, "JPEG", quality=95, keep_rgb=True, progressive=True)
    assert np.abs(read_picture(data).pixels.astype(int) - np.asarray(picture)).mean() < 5


def test_C6_a_profile_and_an_orientation_in_several_segments() -> None:
    profile, exif = rgb_profile(P3_XY, 2.2), Image.Exif()
    exif[0x0112] = 6
    data = image_file(_textured(), "JPEG", exif=exif)
    half = len(profile) // 2
    parts = [b"ICC_PROFILE\0\2\2" + profile[half:], b"ICC_PROFILE\0\1\2" + profile[:half]]
    read = read_picture(data[:2] + b"".join(_segment(0xE2, part) for part in parts) + data[2:])
    assert (read.height, read.width) == (56, 40)
    assert read.colours == "converted to sRGB from test pink"


def _scans(data: bytes) -> list[tuple[int, int]]:
    """Where the data of each scan begins and ends."""
    found = [at.start() for at in re.finditer(rb"\xff[^\x00\xff\xd0-\xd7]", data)]
    ends = [min(other for other in found if other > at) for at in found if data[at + 1] == 0xDA]
    starts = [at + 2 + int.from_bytes(data[at + 2 : at + 4]) for at in found if data[at + 1] == 0xDA]
    return list(zip(starts, ends, strict=True))


def test_C3_a_hole_in_any_scan_of_a_progressive_file_is_damage() -> None:
    """Of zeros, in the first three quarters of a scan that is long enough; a small hole may be another picture's data,
    as valid."""
    data = image_file(_textured().resize((336, 240)), "JPEG", quality=85, progressive=True)
    for start, end in _scans(data):
        size = (end - start) // 4
        for at in range(start, end - size, size) if size > 100 else ():
            with pytest.raises(DamagedImage):
                read_picture(data[:at] + bytes(size) + data[at + size :])


def test_C3_padding_behind_one_scan_does_not_hide_what_lacks_in_another() -> None:
    data = _jpeg("progressive-444")
    (_, first), *others = _scans(data)
    padded = data[:first] + b"\x01\x02" + data[first:]
    np.testing.assert_array_equal(read_picture(padded).pixels, read_picture(data).pixels)
    for start, end in others:
        if end - start > 4:
            with pytest.raises(DamagedImage):
                read_picture(data[:first] + b"\x01\x02" + data[first : (start + end) // 2] + data[end:])
