"""What kind of file a picture was sent as."""

from __future__ import annotations

from enum import StrEnum


class SourceFormat(StrEnum):
    """What an uploaded file was. Of those with loss, some is lost already."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    WEBP_LOSSLESS = "webp-lossless"


def format_of(data: bytes) -> SourceFormat:
    """What kind of file this is, of those that are read, and of WebP which of its two codecs."""
    if data.startswith(b"\xff\xd8"):
        return SourceFormat.JPEG
    if data.startswith(b"RIFF"):
        return SourceFormat.WEBP if b"VP8 " in data else SourceFormat.WEBP_LOSSLESS
    return SourceFormat.PNG
