"""Row C2 of the faults, and C6: PNG of every kind, against libpng by way of imagecodecs."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest

from regrow.core.codec.images import read_picture
from regrow.core.errors import DamagedImage
from tests.pictures import smooth_file
from tests.png_files import CHANNELS, GREY, GREY_ALPHA, KINDS, PALETTE, RGB, SIGNATURE, PngFile, chunk


def _file(kind: int, depth: int, interlaced: bool, transparent: bool, size: tuple[int, int] = (13, 11)) -> PngFile:
    rng = np.random.default_rng(kind * 100 + depth)
    samples = rng.integers(0, 1 << depth, (*size, CHANNELS[kind]))
    samples[1:2, :2] = samples[0, 0]  # the key comes more than once
    trns = None
    if transparent:
        trns = (
            bytes(range(100, 100 + (1 << min(depth, 4)))) if kind == PALETTE else samples[0, 0].astype(">u2").tobytes()
        )
    palette = rng.integers(0, 256, 3 << depth, np.uint8).tobytes() if kind == PALETTE else None
    return PngFile(samples, kind, depth, interlaced, trns, palette)


def _by_libpng(data: bytes) -> np.ndarray:
    """As read_picture has it: 16 bits rounded to 8, transparency as RGBA."""
    levels = imagecodecs.png_decode(data)
    if levels.dtype == np.uint16:
        levels = np.rint(levels / 257).astype(np.uint8)
    levels = levels[..., None] if levels.ndim == 2 else levels
    if levels.shape[-1] == 2:
        levels = levels[..., [0, 0, 0, 1]]
    return levels[..., :3] if levels.shape[-1] == 4 and (levels[..., 3] == 255).all() else levels


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("transparent", [False, True], ids=["plain", "tRNS"])
@pytest.mark.parametrize("interlaced", [False, True], ids=["rows", "adam7"])
@pytest.mark.parametrize(("kind", "depth"), KINDS)
def test_C2_every_kind_of_png_is_as_libpng_has_it(kind: int, depth: int, interlaced: bool, transparent: bool) -> None:
    data = _file(kind, depth, interlaced, transparent and kind in (GREY, RGB, PALETTE)).to_bytes()
    np.testing.assert_array_equal(read_picture(data).pixels, _by_libpng(data))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 5)])
def test_C2_interlaced_pictures_with_empty_passes(size: tuple[int, int]) -> None:
    for kind, depth in KINDS:
        data = _file(kind, depth, interlaced=True, transparent=False, size=size).to_bytes()
        np.testing.assert_array_equal(read_picture(data).pixels, _by_libpng(data))


@pytest.mark.parametrize(("kind", "depth"), [(GREY, 1), (GREY, 2), (GREY, 4), (GREY, 8), (RGB, 8)])
def test_C2_bits_of_a_key_above_the_depth_do_not_count(kind: int, depth: int) -> None:
    file = _file(kind, depth, interlaced=False, transparent=True)
    key = np.frombuffer(file.trns or b"", ">u2") | 0xFF00
    alpha = read_picture(PngFile(file.samples, kind, depth, trns=key.astype(">u2").tobytes()).to_bytes()).pixels[..., 3]
    np.testing.assert_array_equal(alpha == 0, (file.samples == file.samples[0, 0]).all(axis=-1))


def test_C2_a_key_that_differs_in_the_low_byte_only_is_another_colour() -> None:
    samples = np.array([[[0x1234, 0x1234, 0x1234], [0x1235, 0x1234, 0x1234]]])
    data = PngFile(samples, RGB, 16, trns=samples[0, 0].astype(">u2").tobytes()).to_bytes()
    assert read_picture(data).pixels[0, :, 3].tolist() == [0, 255]


def test_C2_grey_with_16_bits_of_alpha_keeps_both_ends() -> None:
    samples = np.array([[[0, 65535], [65535, 0], [32896, 32896]]])
    pixels = read_picture(PngFile(samples, GREY_ALPHA, 16).to_bytes()).pixels
    assert pixels.tolist() == [[[0, 0, 0, 255], [255, 255, 255, 0], [128, 128, 128, 128]]]


def _without(name: bytes) -> bytes:
    data = smooth_file(16, 16)
    at = data.index(name) - 4
    return data[:at] + data[at + 12 + int.from_bytes(data[at : at + 4]) :]


def _rgb_4x4(rows: bytes, before: bytes = b"") -> bytes:
    """A well-formed file, whatever its pixels unpack to."""
    header = chunk(b"IHDR", b"\0\0\0\4\0\0\0\4\x08\2\0\0\0")
    return SIGNATURE + header + before + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_without(b"IDAT"), id="without-pixels"),
        pytest.param(_without(b"IEND"), id="without-end"),
        pytest.param(_without(b"IHDR"), id="without-header"),
        pytest.param(SIGNATURE, id="signature-only"),
        pytest.param(SIGNATURE + chunk(b"IHDR", b"") + chunk(b"IEND", b""), id="empty-header"),
        pytest.param(_rgb_4x4(bytes(2 * 13)), id="half-of-the-rows"),
        pytest.param(_rgb_4x4(bytes(4 * 13 - 1)), id="a-byte-less"),
        pytest.param(_rgb_4x4(b""), id="no-rows"),
        pytest.param(_rgb_4x4(bytes(4 * 13), chunk(b"IHDR", b"\0\0\0\4\0\0\0\4\x08\0\0\0\0")), id="two-headers"),
        pytest.param(PngFile(np.zeros((3, 3, 1), int), PALETTE, 8).to_bytes(), id="palette-missing"),
    ],
)
def test_C6_broken_structure_is_damage(data: bytes) -> None:
    with pytest.raises(DamagedImage):
        read_picture(data)


@pytest.mark.parametrize("interlaced", [False, True], ids=["rows", "adam7"])
def test_C3_a_row_that_is_missing_in_a_well_formed_png_is_damage(interlaced: bool) -> None:
    """Its checksums are right, and Pillow shows what is missing as black."""
    for kind, depth in KINDS:
        data = _file(kind, depth, interlaced, transparent=False).to_bytes()
        at = data.index(b"IDAT") - 4
        end = at + 12 + int.from_bytes(data[at : at + 4])
        rows = zlib.decompress(data[at + 8 : end - 4])
        assert read_picture(data[:at] + chunk(b"IDAT", zlib.compress(rows + b"more")) + data[end:]).width == 11
        with pytest.raises(DamagedImage):
            read_picture(data[:at] + chunk(b"IDAT", zlib.compress(rows[:-1])) + data[end:])


@pytest.mark.parametrize("trailer", [_rgb_4x4(bytes(4 * 13)), _rgb_4x4(b"")[8:], b"PK\3\4" + bytes(30)])
def test_C6_what_follows_the_end_of_a_png_does_not_matter(trailer: bytes) -> None:
    data = smooth_file(16, 16)
    np.testing.assert_array_equal(read_picture(data + trailer).pixels, read_picture(data).pixels)


_BOMB = zlib.compress(bytes(5_000_000))


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (b"zTXt", b"Comment\0\0" + _BOMB),
        (b"zTXt", b"Comment\0\1unknown method"),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + _BOMB),
        (b"iCCP", b"profile\0\0" + _BOMB),
        (b"iCCP", b"profile\0\0" + _BOMB[:99]),
        (b"iCCP", b"profile\0\1"),
        (b"iCCP", b""),
        (b"tRNS", b""),
        (b"acTL", struct.pack(">II", 2, 0)),
        (b"fcTL", bytes(26)),
        *((name, b"\0") for name in (b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"eXIf", b"acTL", b"fcTL", b"fdAT")),
    ],
)
@pytest.mark.parametrize("kind", [RGB, PALETTE])
def test_I5_broken_metadata_is_as_none(kind: int, name: bytes, body: bytes) -> None:
    file = _file(kind, 8, interlaced=False, transparent=False)
    pixels = read_picture(file.to_bytes()).pixels
    for place in ("before", "after"):
        read = read_picture(replace(file, **{place: chunk(name, body)}).to_bytes())
        np.testing.assert_array_equal(read.pixels, pixels)


def test_I3_a_wrong_checksum_of_metadata_is_damage() -> None:
    text = chunk(b"tEXt", b"key\0value")
    file = _file(RGB, 8, interlaced=False, transparent=False)
    with pytest.raises(DamagedImage, match="checksum of its chunk 'tEXt'"):
        read_picture(replace(file, before=text[:-1] + bytes([text[-1] ^ 1])).to_bytes())
