"""The segments of a JPEG file (ITU-T T.81, B.1), and what its metadata says."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
END, SCAN = 0xD9, 0xDA
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_EXIF, _ICC = b"Exif\0\0", b"ICC_PROFILE\0"
_STANDALONE = {0x01, *range(0xD0, 0xDA)}  # TEM, RST, SOI, EOI: no length follows
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
DECODING = {0xC4, 0xCC, 0xDB, 0xDD, SCAN, *FRAMES}  # tables, restart interval, scans, frame
_MARKER = re.compile(rb"\xff([^\x00\xff])", re.DOTALL)
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)


def segments(data: bytes, ahead: bool = False) -> Iterator[tuple[int, bytes, bytes]]:
    """Markers, their segments without the length, and behind a scan's header its entropy-coded data.

    ahead: up to the first scan's header only, which spares the search for the end of its data.
    A segment that the file's end cuts is empty: whoever needs it will miss it.
    """
    at = len(SOI)
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        body = scan = b""
        if marker not in _STANDALONE:
            length = int.from_bytes(data[at : at + 2])
            body = data[at + 2 : at + length] if at + length <= len(data) else b""
            at += max(length, 2)
        if marker == SCAN and not ahead:
            end = _END_OF_SCAN.search(data, at)
            scan = data[at : end.start() if end else len(data)]
            at += len(scan)
        yield marker, body, scan
        if marker == END or (marker == SCAN and ahead):
            return


def segment(marker: int, body: bytes) -> bytes:
    """A segment of a JPEG file, with its length. marker: the byte after 0xFF. body: at most 65,533 bytes."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def header(data: bytes) -> bytes:
    """The file up to its first scan's header, without metadata."""
    wanted = (
        segment(marker, body)
        for marker, body, _ in segments(data, ahead=True)
        if marker in DECODING or tells_colour(marker, body)
    )
    return SOI + b"".join(wanted)


def exif_of(data: bytes) -> bytes | None:
    """The EXIF block with its name; one that goes on in further segments is put together."""
    bodies = [body for body in _bodies(data, _APP1) if body.startswith(_EXIF)]
    return _EXIF + b"".join(body[len(_EXIF) :] for body in bodies) if bodies else None


def profile_of(data: bytes) -> bytes | None:
    """The ICC profile (ICC.1:2010, B.4); None without one, or where a part of it is missing."""
    bodies = [body for body in _bodies(data, _APP2) if body.startswith(_ICC) and len(body) >= len(_ICC) + 2]
    if not bodies or any(body[len(_ICC) + 1] != len(bodies) for body in bodies):
        return None
    return b"".join(body[len(_ICC) + 2 :] for body in sorted(bodies, key=lambda body: body[len(_ICC)]))


def _bodies(data: bytes, wanted: int) -> Iterator[bytes]:
    """Of the segments ahead of the first scan."""
    return (body for marker, body, _ in segments(data, ahead=True) if marker == wanted)


def tells_colour(marker: int, body: bytes) -> bool:
    """As libjpeg takes them: shorter ones are as none."""
    jfif, adobe = (marker, body[:5]) == (_APP0, b"JFIF\0"), (marker, body[:5]) == (_APP14, b"Adobe")
    return (jfif and len(body) >= 14) or (adobe and len(body) >= 12)
