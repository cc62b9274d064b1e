"""Pictures that the tests make themselves."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

from regrow.core.codec.images import Picture


def smooth_pixels(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """A few soft waves per channel; uint8 (height, width, channels)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 40.0
    planes = []
    for _ in range(channels):
        a, b, c, d = rng.uniform(0.5, 2.5, 4)
        planes.append(0.5 + 0.22 * np.sin(a * x + b * y + c) + 0.22 * np.cos(d * x - a * y))
    return np.rint(np.clip(np.stack(planes, axis=-1), 0, 1) * 255).astype(np.uint8)


def smooth_picture(height: int, width: int, channels: int = 3, seed: int = 0) -> Picture:
    return Picture(smooth_pixels(height, width, channels, seed))


def image_file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def smooth_file(height: int, width: int, kind: str = "PNG", seed: int = 0, **options: object) -> bytes:
    return image_file(Image.fromarray(smooth_pixels(height, width, 3, seed)), kind, **options)


def png_header_only(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def with_scans(progressive: bytes, scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated until there are so many: each goes over all pixels again."""
    last = progressive.rindex(b"\xff\xda")
    before = progressive[:last].count(b"\xff\xda")
    return progressive[:last] + progressive[last:-2] * (scans - before) + progressive[-2:]
