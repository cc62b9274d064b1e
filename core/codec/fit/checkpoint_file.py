"""The bytes of a checkpoint: a JSON header and arrays, behind a checksum.

    magic "RGCK", CRC-32 of all that follows, length of the header; the header, UTF-8; the arrays' values, little-endian

The header's entry "arrays" lists each array's name, type and shape, in the order of their values. Reading allocates
nothing: arrays are views of the bytes.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from typing import Any

import numpy as np

from regrow.core.codec.fit.checkpoint import Arrays, damage_as_error
from regrow.core.errors import DamagedCheckpoint

MAGIC = b"RGCK"
_HEAD = struct.Struct("<4sII")
_TYPES = ("<f4", "<f8", "<i8", "|i1", "|b1")


def pack(header: dict[str, Any], arrays: Arrays) -> bytes:
    """The bytes of a header without an entry "arrays", and of arrays of the types above."""
    listed = [(name, array.dtype.str, array.shape) for name, array in arrays.items()]
    written = json.dumps({**header, "arrays": listed}).encode()
    parts = [written, *(array.tobytes() for array in arrays.values())]
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return b"".join([_HEAD.pack(MAGIC, checksum, len(written)), *parts])


def unpack(data: bytes) -> tuple[dict[str, Any], Arrays]:
    """The header and the arrays, read-only. Raises DamagedCheckpoint."""
    if len(data) < _HEAD.size or not data.startswith(MAGIC):
        raise DamagedCheckpoint("it is not a checkpoint")
    _, checksum, length = _HEAD.unpack_from(data)
    body = memoryview(data)[_HEAD.size :]
    if zlib.crc32(body) != checksum:
        raise DamagedCheckpoint("its checksum is wrong")
    with damage_as_error():
        header: dict[str, Any] = json.loads(bytes(body[:length]))
        arrays, start = {}, length
        for name, kind, shape in header.pop("arrays"):
            if kind not in _TYPES or any(type(size) is not int or size < 0 for size in shape):
                raise DamagedCheckpoint(f"its array {name} cannot be")
            end = start + np.dtype(kind).itemsize * math.prod(shape)
            arrays[name] = np.frombuffer(body[start:end], dtype=kind).reshape(shape)
            start = end
        if start != len(body):
            raise DamagedCheckpoint("its length is wrong")
        return header, arrays
