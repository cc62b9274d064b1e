"""A small PNG writer: every depth, colour type, interlacing and chunk, where Pillow's writer knows a few."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
KINDS = [
    *((GREY, depth) for depth in (1, 2, 4, 8, 16)),
    *((PALETTE, depth) for depth in (1, 2, 4, 8)),
    *((kind, depth) for kind in (RGB, GREY_ALPHA, RGBA) for depth in (8, 16)),
]
"""All that PNG has: colour type and depth."""
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


@dataclass(frozen=True, slots=True)
class PngFile:
    """samples: integers (height, width, channels) at the file's depth. before: chunks ahead of palette and pixels;
    trns, palette: their bodies."""

    samples: np.ndarray
    kind: int
    depth: int
    interlaced: bool = False
    trns: bytes | None = None
    palette: bytes | None = None
    before: bytes = b""
    after: bytes = b""

    def to_bytes(self) -> bytes:
        height, width, _ = self.samples.shape
        header = struct.pack(">IIBBBBB", width, height, self.depth, self.kind, 0, 0, int(self.interlaced))
        body = SIGNATURE + chunk(b"IHDR", header) + self.before
        body += chunk(b"PLTE", self.palette) if self.palette is not None else b""
        body += chunk(b"tRNS", self.trns) if self.trns is not None else b""
        return body + chunk(b"IDAT", zlib.compress(self._rows())) + self.after + chunk(b"IEND", b"")

    def _rows(self) -> bytes:
        if not self.interlaced:
            return _filtered(self.samples, self.depth)
        passes = (self.samples[top::down, left::right] for top, left, down, right in _ADAM7)
        return b"".join(_filtered(samples, self.depth) for samples in passes if samples.size)


def _filtered(samples: np.ndarray, depth: int) -> bytes:
    """The scanlines, with the filters none, sub and up in turn."""
    height, width, channels = samples.shape
    step = max(1, channels * depth // 8)
    above = np.zeros(-(-width * channels * depth // 8), np.uint8)
    rows = b""
    for number, row in enumerate(samples.reshape(height, -1)):
        line = _packed(row, depth)
        left = np.concatenate([np.zeros(step, np.uint8), line])[: len(line)]
        kind = number % 3
        rows += bytes([kind]) + (line - (np.zeros_like(line), left, above)[kind]).tobytes()
        above = line
    return rows


def _packed(row: np.ndarray, depth: int) -> np.ndarray:
    if depth == 16:
        return np.frombuffer(row.astype(">u2").tobytes(), np.uint8)
    bits = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - depth :]
    return np.packbits(bits.reshape(-1))
