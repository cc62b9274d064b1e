"""The first frame of an animated WebP on its canvas (RFC 9649).

Whether data was overwritten cannot be told: WebP has no checksums, and to both of its codecs almost any bytes, zeros
too, are valid data. A file that is cut is refused, by the lengths of its chunks.
"""

from __future__ import annotations

_FLAGS_AT = 20  # in a file that begins with RIFF, size, WEBP, VP8X, size
_ANIMATED, _ALPHA = 0x02, 0x10


def on_transparent_canvas(data: bytes) -> bytes:
    """An animation's file, changed so that libwebp shows what no frame covers as transparent, as browsers do.

    A writer may leave out the flag of transparency when no frame has any; the canvas around a frame that does not fill
    it is transparent all the same (the background colour is a hint that no browser takes). Other files come back as
    they are.
    """
    if data[12:16] != b"VP8X" or len(data) <= _FLAGS_AT or not data[_FLAGS_AT] & _ANIMATED:
        return data
    return data[:_FLAGS_AT] + bytes([data[_FLAGS_AT] | _ALPHA]) + data[_FLAGS_AT + 1 :]
