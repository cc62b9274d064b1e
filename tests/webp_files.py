"""WebP files put together from chunks (RFC 9649), where Pillow's writer always fills the canvas."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np
from PIL import Image

from tests.pictures import image_file

ANIMATED, ALPHA = 0x02, 0x10


def riff(chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    body = b"WEBP" + b"".join(
        struct.pack("<4sI", name, len(part)) + part + bytes(len(part) % 2) for name, part in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def animation(
    frame: np.ndarray, left: int, top: int, canvas: tuple[int, int], flags: int = ANIMATED, back: bytes = bytes(4)
) -> bytes:
    """One frame somewhere on a canvas of (width, height). flags: of VP8X; back: the background's B, G, R, A."""
    bitstream = image_file(Image.fromarray(frame), "WEBP", lossless=True)[12:]
    height, width = frame.shape[:2]
    place = b"".join(_three(number) for number in (left // 2, top // 2, width - 1, height - 1, 100))
    return riff(
        [
            (b"VP8X", bytes([flags, 0, 0, 0]) + _three(canvas[0] - 1) + _three(canvas[1] - 1)),
            (b"ANIM", back + b"\0\0"),
            (b"ANMF", place + b"\0" + bitstream),
        ]
    )


def _three(number: int) -> bytes:
    return struct.pack("<I", number)[:3]
