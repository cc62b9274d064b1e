"""The container: round trips, and checklist rows B1 to B5 for everything but the payloads' meaning."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regrow.core.codec.coder import Coder
from regrow.core.codec.decode import decode
from regrow.core.codec.decode.growing import reference_grower
from regrow.core.codec.format.bundle import bundle_size, read_bundle, write_bundle
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.seeds import SeedKind
from regrow.core.errors import BundleError, DamagedBundle, InvalidSettings, NotABundle, UnsupportedBundle
from tests.bundles import random_bundle

TINY = (RuleShape(4, 2),)
HEADER_BYTES = 16 + 2


def tiny(coder: Coder = Coder.ANS) -> bytes:
    return random_bundle(4, 8, shapes=TINY, patch_size=4, rollout=Rollout(2), coder=coder)


def reference(data: bytes) -> object:
    return decode(data, grower=reference_grower)


def resealed(data: bytes, patches: int = 2) -> bytes:
    """The same bytes with the checksum of header and table made right."""
    end = HEADER_BYTES + 6 * patches
    return data[:end] + struct.pack("<I", zlib.crc32(data[:end])) + data[end + 4 :]


@pytest.mark.parametrize("coder", Coder)
@pytest.mark.parametrize("fire_rate", [0.0, 0.25])
def test_round_trip(coder: Coder, fire_rate: float) -> None:
    shapes = (RuleShape(7, 3, 4), RuleShape(9, 5, 4))
    data = random_bundle(50, 90, shapes=shapes, rollout=Rollout(5, fire_rate, 5 if fire_rate else 0), coder=coder)
    bundle = read_bundle(data)
    header = bundle.header
    assert (header.height, header.width, header.visible, header.coder) == (50, 90, 4, coder)
    assert header.presets == shapes
    assert header.rollout == Rollout(5, fire_rate, 5 if fire_rate else 0)
    assert header.grid.count == len(bundle.payloads) == 6
    assert [bundle.shape(index) for index in range(4)] == [*shapes, *shapes]
    assert write_bundle(header, bundle.payloads) == data
    assert bundle_size([len(payload) for payload in bundle.payloads], 2, header.rollout) == len(data)


@pytest.mark.parametrize("presets", [1, 7])
@pytest.mark.parametrize("fire_rate", [0.0, 0.5])
def test_overhead_is_at_most_40_bytes_a_file_and_6_a_patch(presets: int, fire_rate: float) -> None:
    shapes = [RuleShape(4 + number, 2) for number in range(presets)]
    data = random_bundle(120, 120, shapes=shapes, rollout=Rollout(2, fire_rate))
    payloads = read_bundle(data).payloads
    assert len(data) - sum(map(len, payloads)) <= 40 + 6 * len(payloads)
    if presets == 1 and not fire_rate:
        assert len(data) - sum(map(len, payloads)) == 22 + 6 * len(payloads)


@pytest.mark.parametrize("data", [b"", b"GNC", b"\x80\x04\x95pickle", b"PK\x03\x04torch", b"\x89PNG\r\n\x1a\n"])
def test_b4_other_files_are_refused_by_the_magic(data: bytes) -> None:
    with pytest.raises(NotABundle):
        read_bundle(data)


@pytest.mark.parametrize("version", [0, 2, 9])
def test_unknown_versions_are_named(version: int) -> None:
    data = bytearray(tiny())
    data[4] = version
    with pytest.raises(UnsupportedBundle, match=f"version {version}"):
        read_bundle(bytes(data))


@pytest.mark.parametrize("coder", Coder)
def test_b1_every_single_bit_flip_is_an_error(coder: Coder) -> None:
    data = tiny(coder)
    for bit in range(8 * len(data)):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(BundleError):
            read_bundle(bytes(broken))


def test_b2_every_truncation_and_an_appended_byte_is_an_error() -> None:
    data = tiny()
    for length in range(len(data)):
        with pytest.raises(BundleError):
            read_bundle(data[:length])
    with pytest.raises(DamagedBundle):
        read_bundle(data + b"\0")


@pytest.mark.parametrize(
    ("offset", "kind", "value"),
    [
        pytest.param(5, "B", 1, id="B3-profile"),
        pytest.param(6, "B", 1, id="B3-prior"),
        pytest.param(7, "B", 0x32, id="B3-coder"),
        pytest.param(7, "B", 0x3D, id="B3-seed"),
        pytest.param(7, "B", 0x25, id="B3-visible"),
        pytest.param(7, "B", 0xB5, id="B3-fire-rate-that-is-not-there"),
        pytest.param(8, "B", 0, id="B3-patch-size-0"),
        pytest.param(8, "B", 1, id="B3-many-patches"),
        pytest.param(9, "B", 0, id="B3-no-presets"),
        pytest.param(9, "B", 8, id="B3-presets"),
        pytest.param(10, "H", 0, id="B3-steps-0"),
        pytest.param(10, "H", 60000, id="B3-steps"),
        pytest.param(12, "H", 0, id="B3-width-0"),
        pytest.param(14, "H", 65535, id="B3-height"),
        pytest.param(16, "B", 200, id="B3-channels"),
        pytest.param(16, "B", 3, id="B3-channels-only-visible"),
        pytest.param(17, "B", 0, id="B3-hidden-0"),
        pytest.param(18, "H", 5, id="B3-hole"),
        pytest.param(18, "H", 65535, id="B3-overlap"),
    ],
)
def test_b3_header_lies_are_refused_though_the_checksum_is_right(offset: int, kind: str, value: int) -> None:
    data = bytearray(tiny())
    struct.pack_into(f"<{kind}", data, offset, value)
    start = time.perf_counter()
    with pytest.raises(BundleError):
        read_bundle(resealed(bytes(data)))
    assert time.perf_counter() - start < 1, "refused before anything is made"


def _with_payload(data: bytes, index: int, payload: bytes) -> bytes:
    """The tiny bundle with another payload, all checksums made right."""
    bundle = read_bundle(data)
    payloads = list(bundle.payloads)
    payloads[index] = payload
    return write_bundle(bundle.header, payloads)


@pytest.mark.parametrize(
    ("coder", "offset", "value"),
    [
        pytest.param(Coder.ANS, 1, 0x03, id="B3-precision"),
        pytest.param(Coder.ANS, 0, 0, id="B3-gain-and-shift"),
        pytest.param(Coder.ANS, 2, 24, id="B3-bias-shift"),
        pytest.param(Coder.ANS, 2, 0x20, id="B3-preset"),
        pytest.param(Coder.ANS, 3, 64, id="B3-model"),
        pytest.param(Coder.BYTES, 3, 1, id="B3-model-of-bytes"),
        pytest.param(Coder.BYTES, 6, 0x80, id="B3-symbol"),
    ],
)
def test_b3_payloads_that_lie_are_refused(coder: Coder, offset: int, value: int) -> None:
    data = tiny(coder)
    payload = bytearray(read_bundle(data).payloads[1])
    payload[offset] = value
    if offset == 0:
        payload[1] = 0xF4  # a hidden shift of 15 at a precision of 4
    with pytest.raises(DamagedBundle, match="patch 1"):
        reference(_with_payload(data, 1, bytes(payload)))


@pytest.mark.parametrize(
    ("coder", "length"), [(Coder.ANS, 0), (Coder.ANS, 5), (Coder.BYTES, 0), (Coder.BYTES, 6), (Coder.BYTES, 20)]
)
def test_b3_payloads_of_the_wrong_length_are_refused(coder: Coder, length: int) -> None:
    data = tiny(coder)
    with pytest.raises(DamagedBundle):
        reference(_with_payload(data, 0, (read_bundle(data).payloads[0] * 2)[:length]))


@given(st.binary(max_size=200))
def test_b5_no_bytes_crash_the_parser(tail: bytes) -> None:
    with pytest.raises(BundleError):
        read_bundle(b"GNCA\1" + tail)


@given(st.binary(max_size=80))
def test_b5_no_payload_crashes_the_decoder(payload: bytes) -> None:
    try:
        reference(_with_payload(tiny(), 0, payload))
    except DamagedBundle:
        return


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6))
def test_b5_changed_headers_with_right_checksums_crash_nothing(changes: list[tuple[int, int]]) -> None:
    data = bytearray(tiny())
    for place, value in changes:
        data[4 + place % (len(data) - 4)] = value
    try:
        read_bundle(resealed(bytes(data)))
    except BundleError:
        return


_LIMITED = """
import resource, struct, sys, zlib
from regrow.core.codec.format.bundle import read_bundle
from regrow.core.errors import BundleError
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (32 << 20),) * 2)
# The largest picture in the smallest patches that are allowed, and a file that has none of them.
header = struct.pack("<4sBBBBBBHHH2B", b"GNCA", 1, 0, 0, 0x35, {size}, 1, 1024, 16384, 16384, 64, 255)
try:
    read_bundle(header + struct.pack("<I", zlib.crc32(header)))
except BundleError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("size", [1, 37, 40, 255])
def test_b3_nothing_is_allocated_for_a_picture_that_is_not_there(size: int) -> None:
    done = subprocess.run([sys.executable, "-c", _LIMITED.replace("{size}", str(size))], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "patches" in done.stdout or "patch table" in done.stdout


def test_a_wrong_number_of_payloads_is_refused() -> None:
    bundle = read_bundle(tiny())
    with pytest.raises(InvalidSettings):
        write_bundle(bundle.header, [])


def test_the_pixel_seed_is_another_picture() -> None:
    scaffold, pixel = (
        random_bundle(9, 9, patch_size=9, seed_kind=kind) for kind in (SeedKind.SCAFFOLD, SeedKind.PIXEL)
    )
    assert (decode(scaffold).picture.pixels != decode(pixel).picture.pixels).any()
