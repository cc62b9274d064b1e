"""What kind of file a picture was sent as."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import StrEnum

_CHUNKS_AT = 12  # behind RIFF, size, WEBP
_FRAME_HEADER = 16  # bytes of an ANMF chunk ahead of its own chunks


class SourceFormat(StrEnum):
    """What an uploaded file was. Of those with loss, some is lost already."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    WEBP_LOSSLESS = "webp-lossless"


def format_of(data: bytes) -> SourceFormat:
    """What kind of file this is, of those that are read, and of WebP which of its two codecs the first frame is of."""
    if data.startswith(b"\xff\xd8"):
        return SourceFormat.JPEG
    if data.startswith(b"RIFF"):
        codec = next((name for name in _webp_chunks(data, _CHUNKS_AT) if name in (b"VP8 ", b"VP8L")), b"VP8 ")
        return SourceFormat.WEBP if codec == b"VP8 " else SourceFormat.WEBP_LOSSLESS
    return SourceFormat.PNG


def _webp_chunks(data: bytes, at: int) -> Iterator[bytes]:
    """Names of chunks (RFC 9649, 2.3), those in frames of an animation too."""
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        yield name
        at += 8 + (_FRAME_HEADER if name == b"ANMF" else length + length % 2)
