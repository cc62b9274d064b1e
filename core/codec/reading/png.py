"""PNG beyond what Pillow gives: 16-bit colour at its own depth, transparent keys, and the stated colours.

Pillow sees nothing but header, palette and pixels (`plain`): it would refuse a whole file for a text or a physical size
that it cannot read. What else counts is read here, and is as none where it is broken.

After the W3C's "Portable Network Graphics (PNG) Specification (Third Edition)".
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from regrow.core.codec.reading.colour_numbers import SRGB, ColourNumbers, of_cicp, of_gamma
from regrow.core.codec.reading.raster import Bytes, Raster, Samples
from regrow.core.errors import DamagedImage

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
_SAMPLES = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGBA: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_UNPACKED_AT_A_TIME = 1 << 20  # bytes
_HEADER = struct.Struct(">II5B")
_HEADER_AT = 16
_COLOUR_CHUNKS = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM")
_LARGEST_PROFILE = 4 << 20  # bytes: those with tables for screens and printers have up to two million
_MOST_LEVELS = 256  # of a palette


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and bodies, up to IEND or the file's end, which may cut the last body."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        name = data[at + 4 : at + 8]
        yield name, data[at + 8 : at + 8 + length]
        if name == b"IEND":  # what follows is no part of the picture
            return
        at += 12 + length


def check(data: bytes) -> None:
    """Raises DamagedImage where a chunk is cut or has another checksum than its own, or where IEND is missing.

    IEND's own checksum is not looked at: all is there without it.
    """
    at = len(SIGNATURE)
    for name, body in _chunks(data):
        if name == b"IEND":
            return
        at += 8 + len(body)
        if data[at : at + 4] != struct.pack(">I", zlib.crc32(body, zlib.crc32(name))):
            raise _damaged(f"the checksum of its chunk {ascii(name)[1:]} is wrong")
        at += 4
    raise _damaged("its end is missing")


def _damaged(why: str) -> DamagedImage:
    return DamagedImage(f"the image file is truncated or damaged: {why}")


def plain(data: bytes) -> bytes:
    """The file with nothing but header, palette with transparency, pixels and end: what Pillow needs of it.

    Pixels that the file's end cuts are cut in what is returned, too.
    """
    kind = data[25] if len(data) > 25 else None
    parts = [SIGNATURE]
    for name, body in _chunks(data):
        wanted = name in (b"IHDR", b"PLTE", b"IDAT", b"IEND")
        if wanted or (name == b"tRNS" and kind == _PALETTE and 0 < len(body) <= _MOST_LEVELS):
            parts += [struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))]
    return b"".join(parts)


def profile_of(found: dict[bytes, bytes]) -> bytes | None:
    """The unpacked ICC profile; None without one, and for one that is broken or far larger than any that is in use."""
    _, _, packed = found.get(b"iCCP", b"").partition(b"\0")
    if packed[:1] != b"\0":
        return None
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], _LARGEST_PROFILE)
    except zlib.error:
        return None
    return profile if unpacker.eof else None


def first_chunks(data: bytes) -> dict[bytes, bytes]:
    """The first chunk of each name. Those of colour count only before palette and pixels."""
    found: dict[bytes, bytes] = {}
    for name, body in _chunks(data):
        late = b"PLTE" in found or b"IDAT" in found
        if not (late and name in _COLOUR_CHUNKS):
            found.setdefault(name, body)
    return found


def load(data: bytes) -> Raster:
    """The samples of a PNG, 16 bits where the file has 16.

    A key of tRNS is compared at the file's depth; bits of it above that depth are ignored (11.3.1.1). Raises
    DamagedImage where rows are missing or there are two headers, and what Pillow raises.
    """
    if [name for name, _ in _chunks(data)].count(b"IHDR") != 1 or data[12:16] != b"IHDR":
        raise _damaged("it must begin with its only header")
    depth, kind = data[24], data[25]
    _check_rows(data)
    file = plain(data)
    image = Image.open(io.BytesIO(file), formats=["PNG"])
    if kind == _PALETTE:
        return of_loaded(image)
    samples = _samples_16(file, image, kind) if depth == 16 else _samples_8(image)
    if kind in (_GREY_ALPHA, _RGBA):
        return Raster(samples[..., :-1], samples[..., -1])
    return Raster(samples, _keyed(samples, first_chunks(data).get(b"tRNS", b""), depth))


def _check_rows(data: bytes) -> None:
    """Raises DamagedImage where the pixels unpack to fewer bytes than they need: Pillow leaves the rest black."""
    width, height, depth, kind, _, _, interlaced = _HEADER.unpack_from(data, _HEADER_AT)
    needed = 0
    for left, top, right, down in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // right), -(-(height - top) // down)
        needed += rows * (1 + -(-columns * _SAMPLES[kind] * depth // 8)) if columns > 0 else 0
    unpacker = zlib.decompressobj()
    for name, body in _chunks(data):
        while name == b"IDAT" and body and needed > 0 and not unpacker.eof:
            needed -= len(unpacker.decompress(body, _UNPACKED_AT_A_TIME))
            body = unpacker.unconsumed_tail
    if needed > 0:
        raise _damaged("rows of its pixels are missing")


def of_loaded(image: Image.Image) -> Raster:
    """What Pillow makes of a picture whose colours need no more than its modes."""
    image.load()
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        return Raster(rgba[..., :3], rgba[..., 3])
    if image.mode in ("1", "L"):
        return Raster(np.asarray(image.convert("L"))[..., None])
    return Raster(np.asarray(image if image.mode == "CMYK" else image.convert("RGB")))


def _samples_8(image: Image.Image) -> Samples:
    """Grey of 1, 2 and 4 bits comes scaled to 0..255."""
    image.load()
    samples = np.asarray(image.convert("L") if image.mode == "1" else image)
    return samples if samples.ndim == 3 else samples[..., None]


def _samples_16(data: bytes, image: Image.Image, kind: int) -> Samples:
    """Pillow knows 16 bits of grey only; of colour it keeps one byte of each sample: which, its raw mode says."""
    if kind == _GREY:
        image.load()
        return np.asarray(image).astype(np.uint16)[..., None]
    if kind == _GREY_ALPHA:  # has the bytes of an 8-bit RGBA picture, filtered alike
        image = Image.open(io.BytesIO(_with_header(data, depth=8, kind=_RGBA)), formats=["PNG"])
        image.load()
        both = np.asarray(image)
        return _of_bytes(both[..., 0::2], both[..., 1::2])
    image.load()
    again = Image.open(io.BytesIO(data), formats=["PNG"])
    again.tile = [tile._replace(args=f"{again.mode};16L") for tile in again.tile]
    again.load()
    return _of_bytes(np.asarray(image), np.asarray(again))


def _of_bytes(high: Bytes, low: Bytes) -> Samples:
    samples = high.astype(np.uint16)
    samples <<= 8
    samples |= low
    return samples


def _with_header(data: bytes, depth: int, kind: int) -> bytes:
    width, height, _, _, *rest = _HEADER.unpack_from(data, _HEADER_AT)
    header = b"IHDR" + _HEADER.pack(width, height, depth, kind, *rest)
    return data[: _HEADER_AT - 4] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


def _keyed(samples: Samples, key: bytes, depth: int) -> Samples | None:
    """Alpha: 0 where a pixel is the key of tRNS, in as many channels; None without a key."""
    channels = samples.shape[-1]
    if len(key) < 2 * channels:
        return None
    top = (1 << depth) - 1
    levels = np.frombuffer(key, ">u2", channels) & top
    scaled = levels.astype(np.uint32) * (1 if depth == 16 else 255 // top)
    alpha = np.zeros(samples.shape[:2], samples.dtype)
    alpha[(samples != scaled).any(axis=-1)] = np.iinfo(samples.dtype).max
    return alpha


def stated_numbers(found: dict[bytes, bytes]) -> tuple[ColourNumbers | None, ColourNumbers | None]:
    """What the chunks say of the colours in numbers: ahead of a profile (cICP), and behind it (sRGB, gAMA and cHRM).

    Raises UnsupportedImage where cICP says HDR. A chunk that makes no sense is as none.
    """
    ahead = of_cicp(*found[b"cICP"]) if len(found.get(b"cICP", b"")) == 4 else None
    if b"sRGB" in found:
        return ahead, SRGB
    gamma, corners = found.get(b"gAMA", b""), found.get(b"cHRM", b"")
    return ahead, of_gamma(
        struct.unpack(">I", gamma)[0] / 100_000 if len(gamma) == 4 else None,
        tuple(number / 100_000 for number in struct.unpack(">8i", corners)) if len(corners) == 32 else None,
    )
