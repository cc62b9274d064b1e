"""What makes a small image file dear to decode, counted before any of it is: scans of a JPEG, pieces of a file.

A progressive JPEG is decoded once over for each of its scans, and an empty scan takes a dozen bytes. Pillow reads
chunks of a PNG, and segments and fill bytes of a JPEG, one by one in Python: a second for some 100,000, of any size.
WebP needs no count: its pieces are skipped in C, and of an animation only the first frame is decoded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from regrow.core.errors import ImageTooLarge

MOST_SCANS = 256
"""Of any JPEG. Encoders write 1, or some 10 if progressive; those that search for the best script, up to 64."""

SCANS_OF_LARGEST = 32
"""Of a JPEG of as many pixels as are accepted; one of fewer may have more, for as many pixels over all its scans."""

MOST_PIECES = 32_768
"""Chunks of a PNG, or segments of a JPEG and what is between them. libpng writes a chunk for each 8 kB of data."""

_JUNK_OF_A_PIECE, _FILL_OF_A_PIECE = 32, 4
"""Bytes before the first scan that belong to no segment, and such bytes 0xFF, that take as long."""

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_MARKER, _MARKER_AFTER_SCAN = re.compile(rb"\xff[\x01-\xfe]"), re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""0xFF 0x00 is a plain 0xFF among the data of a scan, and restarts (0xD0 to 0xD7) are part of it."""

_MOST_JUNK = _JUNK_OF_A_PIECE * MOST_PIECES
_FEW, _BLOCK = 4096, 1 << 18
"""Bytes in which markers are sought by a pattern, and by whole arrays: ten times as fast, but for few."""

_SOS, _EOI, _ALONE = 0xDA, 0xD9, frozenset((0x01, *range(0xD0, 0xDA)))
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers that begin a frame, and so tell its size (ITU-T T.81, table B.1)."""


@dataclass(frozen=True, slots=True)
class JpegCost:
    """scans: how often the pixels are gone over. pixels: of the largest frame. pieces: as for MOST_PIECES.

    Counting ends beyond the limits, so that scans and pieces may be more than is said.
    """

    scans: int
    pixels: int
    pieces: int


def refuse_dear(data: bytes, most_pixels: int) -> int:
    """How often the pixels of an image file are gone over to decode it: 1 for all but JPEG.

    Raises ImageTooLarge where it would take far longer to decode than its size says. most_pixels: of an image that is
    accepted. What is damaged, or no image at all, is left to whoever decodes it. Takes a millisecond for each MB.
    """
    scans = 1
    if data.startswith(_PNG):
        pieces = _png_chunks(data)
    elif data.startswith(_JPEG):
        cost = jpeg_cost(data)
        scans, pieces = max(1, cost.scans), cost.pieces
        _refuse_scans(cost, most_pixels)
    else:
        return scans
    if pieces > MOST_PIECES:
        raise ImageTooLarge(f"the image file is in more than {MOST_PIECES:,} pieces: save it anew as an ordinary one")
    return scans


def _refuse_scans(cost: JpegCost, most_pixels: int) -> None:
    if cost.scans > MOST_SCANS:
        raise ImageTooLarge(f"the JPEG has more than {MOST_SCANS} scans: save it anew as an ordinary JPEG")
    if cost.scans > SCANS_OF_LARGEST and cost.scans * cost.pixels > SCANS_OF_LARGEST * most_pixels:
        most = max(SCANS_OF_LARGEST, SCANS_OF_LARGEST * most_pixels // cost.pixels)
        raise ImageTooLarge(
            f"the JPEG has {cost.scans} scans of {cost.pixels:,} pixels: at most {most} of as many are accepted; "
            "save it anew as an ordinary JPEG"
        )


def jpeg_cost(data: bytes) -> JpegCost:
    """Counted as libjpeg and Pillow go: by the lengths of segments, and through what is between to the next marker."""
    scans = pixels = pieces = place = 0
    while scans <= MOST_SCANS and pieces <= MOST_PIECES:
        start = _marker_after_scan(data, place) if scans else _marker(data, place)
        pieces += 1 + (0 if scans else _pieces_of_gap(data[place:start]))
        if start + 1 >= len(data):
            break
        marker, place = data[start + 1], start + 2
        if marker == _EOI and scans:
            break
        if marker in _ALONE:
            continue
        if marker in _FRAMES:
            height, width = (int.from_bytes(data[place + at : place + at + 2]) for at in (3, 5))
            pixels = max(pixels, height * width)
        scans += marker == _SOS
        place += max(int.from_bytes(data[place : place + 2]), 2)
    return JpegCost(scans, pixels, pieces)


def _marker(data: bytes, place: int) -> int:
    """Where the next begins; a place so far on that it is refused, or the end, without any."""
    end = place + _MOST_JUNK + 2
    found = _MARKER.search(data, place, end)
    return found.start() if found else min(end, len(data))


def _marker_after_scan(data: bytes, place: int) -> int:
    """Where the next begins that is no restart; the end without any."""
    found = _MARKER_AFTER_SCAN.search(data, place, place + _FEW)
    if found:
        return found.start()
    every = np.frombuffer(data, np.uint8)
    for start in range(place, len(data) - 1, _BLOCK):
        block = every[start : start + _BLOCK + 1]
        ahead, behind = block[:-1], block[1:]
        markers = (ahead == 0xFF) & (behind - np.uint8(1) < 0xFE) & ((behind & 0xF8) != 0xD0)
        first = int(markers.argmax())
        if markers[first]:
            return start + first
    return len(data)


def _pieces_of_gap(gap: bytes) -> int:
    """What is between two segments, before the first scan."""
    fill = gap.count(0xFF)
    return (len(gap) - fill) // _JUNK_OF_A_PIECE + fill // _FILL_OF_A_PIECE


def _png_chunks(data: bytes) -> int:
    """Up to the end, or to the first beyond the limit."""
    count, place, kind = 0, len(_PNG), b""
    while place + 8 <= len(data) and kind != b"IEND" and count <= MOST_PIECES:
        count, kind = count + 1, data[place + 4 : place + 8]
        place += 12 + int.from_bytes(data[place : place + 4])
    return count
