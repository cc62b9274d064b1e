"""What of an AVIF file is the coded picture, and what is the container around it."""

from __future__ import annotations

from collections.abc import Iterator

_SHORT, _LONG = 8, 16
"""Bytes of a box's head, without and with a size of 64 bits."""


def coded_bytes(data: bytes) -> int:
    """Bytes of the coded pictures alone, which is what all boxes `mdat` hold (ISO/IEC 14496-12, 4.2).

    Raises ValueError where the boxes do not fill the file, or where none is `mdat`.
    """
    sizes = [size for kind, size in _contents(data) if kind == b"mdat"]
    if not sizes:
        raise ValueError("a file without a box `mdat`")
    return sum(sizes)


def _contents(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The kind of every box of the outermost level, and the size of what is in it."""
    start = 0
    while start < len(data):
        size, head = int.from_bytes(data[start : start + 4]), _SHORT
        if size == 1:  # the size follows the kind, in 64 bits
            size, head = int.from_bytes(data[start + _SHORT : start + _LONG]), _LONG
        elif size == 0:  # the last box, to the end of the file
            size = len(data) - start
        if size < head or start + size > len(data):
            raise ValueError(f"a box of {size} bytes at {start}, in a file of {len(data)}")
        yield data[start + 4 : start + 8], size - head
        start += size
