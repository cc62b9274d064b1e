"""The bytes of checkpoints, and bytes that pretend to be some."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regrow.core.codec.encode.checkpoint_file import pack, unpack
from regrow.core.errors import DamagedCheckpoint

ARRAYS = {
    "floats": np.arange(6, dtype=np.float32).reshape(2, 3),
    "doubles": np.array([0.1, np.nan]),
    "integers": np.array([-(1 << 60), 3]),
    "bytes": np.array([[-128], [127]], dtype=np.int8),
    "bools": np.array([[True, False]] * 2),
    "nothing": np.zeros((2, 0), dtype=np.float32),
}
PACKED = pack({"a": [1, "ü"]}, ARRAYS)


def test_what_was_packed_comes_back() -> None:
    header, arrays = unpack(PACKED)
    assert header == {"a": [1, "ü"]}
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert arrays[name].tobytes() == array.tobytes()


def _checked(written: bytes, values: bytes = b"", length: int | None = None) -> bytes:
    """A file with a right checksum."""
    body = written + values
    return struct.pack("<4sII", b"RGCK", zlib.crc32(body), len(written) if length is None else length) + body


def _listing(*arrays: object) -> bytes:
    return json.dumps({"arrays": arrays}).encode()


@pytest.mark.parametrize(
    "data",
    [
        _checked(b""),
        _checked(b"[" * 100_000),
        _checked(b"\xff\xfe"),
        _checked(b"[]"),
        _checked(b"{}"),
        _checked(_listing(), length=1 << 31),
        _checked(_listing(), b"more"),
        _checked(_listing(("x", "<f4", [1 << 60]))),
        _checked(_listing(("x", "<f4", [2])), b"four"),
        _checked(_listing(("x", "<f4", [1 << 40, 1 << 40, 0]))),
        _checked(_listing(("x", "|O", [1])), b"12345678"),
        _checked(_listing(("x", "<f4", [-1, -1])), b"four"),
        _checked(_listing(("x", "<f4", [1.0])), b"four"),
        _checked(_listing(("x", "<f4", [True])), b"four"),
        _checked(_listing(("x", "<f4"))),
        _checked(_listing((["x"], "<f4", [1])), b"four"),
    ],
)
def test_lies_are_refused(data: bytes) -> None:
    with pytest.raises(DamagedCheckpoint):
        unpack(data)


@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(place: int, change: int) -> None:
    changed = bytearray(PACKED)
    changed[place] ^= change
    with pytest.raises(DamagedCheckpoint):
        unpack(bytes(changed))
    with pytest.raises(DamagedCheckpoint):
        unpack(PACKED[:place])
