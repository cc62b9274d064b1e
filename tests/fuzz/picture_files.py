"""Small files of every kind that is read, and what can become of their bytes.

A file is taken apart into its chunks or segments; these are changed, dropped, doubled and exchanged between files, and
the file is put together again with right lengths and checksums, so that what is behind these checks is reached.
"""

from __future__ import annotations

import random
import re
import struct
import zlib
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from tests.colour_profiles import ADOBE_XY, P3_XY, grey_profile, hdr_profile, rgb_profile
from tests.pictures import image_file, smooth_pixels
from tests.png_files import CHANNELS, GREY, KINDS, PALETTE, RGB, SIGNATURE, PngFile, chunk
from tests.webp_files import animation, riff

Part = tuple[bytes, bytes]
"""A chunk's name (a segment's marker) and its body."""
_NUMBERS = (0, 1, 2, 3, 4, 7, 8, 15, 16, 127, 128, 255, 256, 32767, 32768, 65535, 1 << 24, (1 << 31) - 1, (1 << 32) - 1)
_SEGMENT = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)


def seeds() -> list[bytes]:
    """Real files: of 20 kinds of PNG, a dozen of JPEG and some of WebP, with EXIF, profiles and stated colours."""
    return [*_pngs(), *_jpegs(), *_webps()]


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def _profiles() -> list[bytes]:
    return [rgb_profile(P3_XY, 2.2), rgb_profile(ADOBE_XY, 1.0), grey_profile(1.8), hdr_profile(16)]


def _pngs() -> list[bytes]:
    rng = np.random.default_rng(0)
    said = [chunk(b"iCCP", b"p\0\0" + zlib.compress(profile)) for profile in _profiles()]
    said += [chunk(b"cICP", bytes([12, 13, 0, 1])), chunk(b"cICP", bytes([9, 16, 0, 1])), chunk(b"sRGB", b"\0")]
    said += [chunk(b"gAMA", struct.pack(">I", 100_000)), chunk(b"tEXt", b"exif\0MM\0*"), chunk(b"zTXt", b"k\0\0x")]
    said += [chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))]
    files = []
    for number, (kind, depth) in enumerate(KINDS):
        samples = rng.integers(0, 1 << depth, (9 + number, 17, CHANNELS[kind]))
        trns = samples[0, 0].astype(">u2").tobytes() if kind in (GREY, RGB) else bytes(3) if kind == PALETTE else None
        palette = rng.integers(0, 256, 3 << depth, np.uint8).tobytes() if kind == PALETTE else None
        before, after = said[number % len(said)], chunk(b"eXIf", _exif(number % 9)[6:])
        files.append(PngFile(samples, kind, depth, number % 2 == 1, trns, palette, before, after).to_bytes())
    return files


def _jpegs() -> list[bytes]:
    rgb, options = Image.fromarray(smooth_pixels(24, 32)), {"quality": 60}
    cmyk, grey = rgb.convert("CMYK"), rgb.convert("L")
    files = [image_file(image, "JPEG", **options, exif=_exif(6)) for image in (rgb, cmyk, grey)]
    files += [image_file(rgb, "JPEG", **options, icc_profile=profile) for profile in _profiles()]
    for more in ({"progressive": True}, {"restart_marker_blocks": 2}, {"subsampling": 0}, {"optimize": True}):
        files.append(image_file(rgb, "JPEG", **options, **more))
    files.append(image_file(grey, "JPEG", **options, progressive=True, restart_marker_blocks=1))
    files.append(image_file(rgb, "MPO", save_all=True, append_images=[grey.convert("RGB")], **options))
    return files


def _webps() -> list[bytes]:
    pixels = smooth_pixels(20, 24)
    rgb, rgba = Image.fromarray(pixels), Image.fromarray(np.dstack([pixels, pixels[..., 0]]))
    extra = {"exif": _exif(8), "icc_profile": _profiles()[0], "xmp": b"<x:xmpmeta/>"}
    files = [image_file(image, "WEBP", lossless=lossless) for image in (rgb, rgba) for lossless in (False, True)]
    files += [image_file(rgba, "WEBP", lossless=True, **extra), image_file(rgb, "WEBP", **extra)]
    return [*files, animation(pixels, 4, 2, (40, 30)), image_file(rgba, "WEBP", save_all=True, append_images=[rgb])]


def _png_parts(data: bytes) -> list[Part]:
    parts, at = [], len(SIGNATURE)
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        parts.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return parts


def _png_of(parts: Sequence[Part]) -> bytes:
    return SIGNATURE + b"".join(chunk(name, body) for name, body in parts)


def _jpeg_parts(data: bytes) -> list[Part]:
    """Scans are parts without a marker."""
    parts, at = [], 0
    while found := _SEGMENT.search(data, at):
        marker, at = found[0], found.end()
        if marker[1] in (0x01, *range(0xD0, 0xDA)):
            parts.append((marker, b""))
            continue
        end = at + int.from_bytes(data[at : at + 2])
        parts.append((marker, data[at + 2 : end]))
        at = end
        if marker[1] == 0xDA:
            stop = _END_OF_SCAN.search(data, at)
            at = stop.start() if stop else len(data)
            parts.append((b"", data[end:at]))
    return parts


def _jpeg_of(parts: Sequence[Part]) -> bytes:
    def segment(marker: bytes, body: bytes) -> bytes:
        plain = not marker or marker[1] in (0x01, *range(0xD0, 0xDA))
        return marker + (body if plain else struct.pack(">H", min(len(body) + 2, 65535)) + body)

    return b"".join(segment(*part) for part in parts)


def _riff_parts(data: bytes) -> list[Part]:
    parts, at = [], 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        parts.append((name, data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return parts


_KINDS: dict[bytes, tuple[Callable[[bytes], list[Part]], Callable[[Sequence[Part]], bytes]]] = {
    b"\x89P": (_png_parts, _png_of),
    b"\xff\xd8": (_jpeg_parts, _jpeg_of),
    b"RI": (_riff_parts, riff),
}


def mutated(rng: random.Random, files: Sequence[bytes]) -> bytes:
    """One of the files, changed in some of the ways above."""
    data = rng.choice(files)
    if rng.random() < 0.8:
        apart, together = _KINDS[data[:2]]
        parts = apart(data)
        others = [part for file in rng.sample(files, 2) if file[:2] == data[:2] for part in apart(file)]
        for _ in range(rng.choice((1, 1, 2, 5))):
            _change(rng, parts, others)
        data = together(parts)
    if rng.random() < 0.4:
        data = _scrambled(rng, data)
    return data


def _change(rng: random.Random, parts: list[Part], others: list[Part]) -> None:
    at = rng.randrange(len(parts)) if parts else 0
    change = rng.randrange(8) if parts else 0
    if change == 0 and others:
        parts.insert(rng.randint(0, len(parts)), rng.choice(others))
    elif change == 1:
        del parts[at]
    elif change == 2:
        parts.insert(at, parts[at])
    elif change == 3:
        other = rng.randrange(len(parts))
        parts[at], parts[other] = parts[other], parts[at]
    elif parts:
        name, body = parts[at]
        parts[at] = name, _repacked(rng, body) if name == b"IDAT" and change == 4 else _scrambled(rng, body)


def _repacked(rng: random.Random, body: bytes) -> bytes:
    try:
        return zlib.compress(_scrambled(rng, zlib.decompress(body)))
    except zlib.error:
        return body


def _scrambled(rng: random.Random, data: bytes) -> bytes:
    """Bytes that are flipped, overwritten by numbers that are limits, cut out, doubled, zeroed or cut off."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 3, 9))):
        at = rng.randrange(len(result) + 1)
        length = min(rng.choice((1, 1, 2, 4, 16, len(result))), len(result) - at)
        change = rng.randrange(7)
        if change <= 1 and at < len(result):
            result[at] = result[at] ^ (1 << rng.randrange(8)) if change else rng.randrange(256)
        elif change == 2:
            size = rng.choice((1, 2, 4))
            number = rng.choice(_NUMBERS) % (1 << 8 * size)
            result[at : at + size] = number.to_bytes(size, rng.choice(("big", "little")))
        elif change == 3:
            del result[at : at + length]
        elif change == 4:
            result[at:at] = result[at : at + length]
        elif change == 5:
            result[at : at + length] = bytes(length)
        elif change == 6 and rng.random() < 0.3:
            del result[at:]
    return bytes(result)
