from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.codec.bundle import read_bundle, write_bundle
from core.codec.rule import RuleShape
from core.errors import BundleError, DamagedBundle, InvalidSettings, NotABundle, UnsupportedBundle
from tests.bundles import random_bundle

HEADER_BYTES = 23


def test_round_trip() -> None:
    data = random_bundle(50, 90, shape=RuleShape(7, 3, 4), fire_rate=0.25)
    bundle = read_bundle(data)
    assert (bundle.header.height, bundle.header.width) == (50, 90)
    assert bundle.header.shape == RuleShape(7, 3, 4)
    assert bundle.header.rollout.fire_rate == 0.25
    assert bundle.header.grid.count == len(bundle.payloads) == 6
    assert write_bundle(bundle.header, bundle.payloads) == data


def test_overhead_is_what_the_format_says() -> None:
    data = random_bundle(80, 80)
    payload = 3 + RuleShape(6, 5).parameters
    assert len(data) == HEADER_BYTES + 4 * 6 + 4 + 4 * payload


@pytest.mark.parametrize("data", [b"", b"GNC", b"\x80\x04\x95pickle", b"PK\x03\x04torch", b"\x89PNG\r\n\x1a\n"])
def test_other_files_are_refused_by_the_magic(data: bytes) -> None:
    """B4"""
    with pytest.raises(NotABundle):
        read_bundle(data)


def test_unknown_versions_are_named() -> None:
    data = bytearray(random_bundle(8, 8))
    data[4] = 9
    with pytest.raises(UnsupportedBundle, match="version 9"):
        read_bundle(bytes(data))


def test_every_single_bit_flip_is_an_error() -> None:
    """B1"""
    data = random_bundle(8, 8, shape=RuleShape(4, 2))
    for bit in range(8 * len(data)):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(BundleError):
            read_bundle(bytes(broken))


def test_every_truncation_and_an_appended_byte_is_an_error() -> None:
    """B2"""
    data = random_bundle(8, 8, shape=RuleShape(4, 2))
    for length in range(len(data)):
        with pytest.raises(BundleError):
            read_bundle(data[:length])
    with pytest.raises(DamagedBundle):
        read_bundle(data + b"\0")


@pytest.mark.parametrize(
    ("offset", "kind", "value"),
    [
        pytest.param(5, "B", 7, id="B3-seed"),
        pytest.param(6, "B", 2, id="B3-visible"),
        pytest.param(7, "B", 0, id="B3-patch-size"),
        pytest.param(7, "B", 1, id="B3-many-patches"),
        pytest.param(8, "B", 200, id="B3-channels"),
        pytest.param(9, "H", 0, id="B3-hidden"),
        pytest.param(11, "H", 0, id="B3-steps-0"),
        pytest.param(11, "H", 60000, id="B3-steps"),
        pytest.param(13, "H", 0, id="B3-width"),
        pytest.param(15, "H", 65535, id="B3-height"),
    ],
)
def test_header_lies_are_refused_though_the_checksum_is_right(offset: int, kind: str, value: int) -> None:
    """B3"""
    data = bytearray(random_bundle(8, 8))
    struct.pack_into(f"<{kind}", data, offset, value)
    table_end = HEADER_BYTES + 6
    struct.pack_into("<I", data, table_end, zlib.crc32(data[:table_end]))
    with pytest.raises(BundleError):
        read_bundle(bytes(data))


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_parser(tail: bytes) -> None:
    """B5"""
    with pytest.raises(BundleError):
        read_bundle(b"GNCA\0" + tail)


def test_a_wrong_number_of_payloads_is_refused() -> None:
    bundle = read_bundle(random_bundle(8, 8))
    with pytest.raises(InvalidSettings):
        write_bundle(bundle.header, [])
