"""The profile `seeds`: files that lie, are cut short or have a bit flipped are refused, by every decoder alike."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from regrow.core.codec.format.seeds.bundle import SeedsHeader, parse_seeds, write_seeds_bundle
from regrow.core.codec.format.seeds.coder import encode
from regrow.core.codec.format.seeds.model import load_model, released_model
from regrow.core.errors import BundleError, DamagedBundle, InvalidSettings, UnsupportedBundle
from tests.format import seeds_decoder
from tests.format.seeds_decoder_model import FormatError, read_model
from tests.format.seeds_samples import Tensors, decode_by, file_of, hand_tensors, random_bundle, random_model

HAND = file_of(hand_tensors())
ONE = SeedsHeader(3, 5, channels=1, step=768, longest=64, model=1)
SIX = SeedsHeader(3, 321, channels=4, step=2000, longest=64, model=1)


def _refused(data: bytes, error: type[BundleError], match: str, model_file: bytes = HAND) -> None:
    with pytest.raises(error, match=match):
        decode_by(data, load_model(model_file))
    with pytest.raises(FormatError):
        seeds_decoder.decode(data, model_file)


def _check(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")[:3]


def _sealed(header: bytes, payload: bytes = b"") -> bytes:
    return header + payload + _check(header + payload)


@pytest.fixture(scope="module")
def six() -> bytes:
    return random_bundle(np.random.default_rng(0), SIX, random_model(0)[1])


@pytest.mark.parametrize(
    ("header", "error", "match"),
    [
        ("47 4E 43 41 01 01 01 00", DamagedBundle, "ends inside its header"),
        ("47 4E 43 41 01 01 01 00 00", DamagedBundle, "ends inside its header"),
        ("47 4E 43 41 01 01 01 00 00 00", DamagedBundle, "ends inside its header"),
        ("47 4E 43 41 01 01 01 00 00 80", DamagedBundle, "ends inside its header"),
        ("47 4E 43 41 01 01 01 00 30 00 00", UnsupportedBundle, "kind 3 is not known"),
        ("47 4E 43 41 01 01 01 01 0A 00 00", DamagedBundle, "step is 2561: 2560 is the largest"),
        ("47 4E 43 41 01 01 01 00 00 85 00 00", DamagedBundle, "size is outside the limits, or not written"),
        ("47 4E 43 41 01 01 01 00 00 00 80 80", DamagedBundle, "size is outside the limits, or not written"),
        ("47 4E 43 41 01 01 01 00 00 80 01 00", DamagedBundle, "ends inside its patch table"),
    ],
)
def test_headers_that_lie(header: str, error: type[BundleError], match: str) -> None:
    data = bytes.fromhex(header)
    _refused(data if "inside" in match else _sealed(data), error, match)


@pytest.mark.parametrize("model", [0, 2, 255])
def test_a_model_that_is_not_known(model: int) -> None:
    data = write_seeds_bundle(SeedsHeader(1, 1, 1, 768, 64, model), [b"\xf8"])
    with pytest.raises(UnsupportedBundle, match=f"model {model} is not known"):
        released_model(parse_seeds(data, conceal=False).header.model)
    with pytest.raises(FormatError, match=f"Model {model}"):
        seeds_decoder.decode(data, HAND)


def test_checksums_and_lengths_of_one_patch() -> None:
    data = write_seeds_bundle(ONE, [b"\x12\x34"])
    for wrong in (data[:-1], data[:11], data + b"\0", data[:-1] + bytes([data[-1] ^ 1])):
        _refused(wrong, DamagedBundle, "checksum of the bundle is wrong, or it is cut short")


def test_checksums_and_lengths_of_many(six: bytes) -> None:
    table_end = 11 + 1 + 6 * 6
    for wrong, match in (
        (six[: table_end - 1], "ends inside its patch table"),
        (six[:14] + bytes([six[14] ^ 1]) + six[15:], "checksum of the header and patch table"),
        (six + b"\0", "its patch table says"),
        (six[:-1], "its patch table says"),
        (six[:-1] + bytes([six[-1] ^ 1]), "checksum of patch 5 is wrong"),
    ):
        _refused(wrong, DamagedBundle, match, random_model(0)[0])


def _numbers(*parts: tuple[int, int]) -> bytes:
    """A payload of symbols, each by where it begins and how many numbers it has."""
    return encode([start for start, _ in parts], [size for _, size in parts])


ESCAPE = (61440, 4096)


@pytest.mark.parametrize(
    ("payload", "match"),
    [
        (b"\x12\0", "end with a byte of zero"),
        (bytes(30) + b"\1", "do not end where they should"),
        (_numbers(ESCAPE, (0, 32768), (17 << 11, 1 << 11)), "a number of 17 bits: 16 are the most"),
        (_numbers(ESCAPE, (0, 32768), (16 << 11, 1 << 11), (65535, 1)), "a seed of -131071: 32767 is the largest"),
        (_numbers(ESCAPE, (32768, 32768), (16 << 11, 1 << 11), (65535, 1)), "a seed of 131073: 32767 is the largest"),
    ],
)
def test_payloads_that_lie_behind_a_right_checksum(payload: bytes, match: str) -> None:
    _refused(write_seeds_bundle(ONE, [payload]), DamagedBundle, match)


def test_a_place_beyond_all_symbols() -> None:
    """Only what rounding leaves over can be there."""
    header = SeedsHeader(60, 60, channels=4, step=768, longest=64, model=1)
    _refused(write_seeds_bundle(header, [b"\xff" * 9000]), DamagedBundle, "what no encoder writes")


@pytest.mark.parametrize("header", [ONE, SIX])
def test_bit_flips_and_truncations(header: SeedsHeader) -> None:
    file, model = random_model(0)
    data = random_bundle(np.random.default_rng(2), header, model)
    for bit in range(8 * 7, 8 * len(data)):  # what is before tells which parser reads, and the model
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BundleError):
            decode_by(bytes(wrong), model)
        with pytest.raises(FormatError):
            seeds_decoder.decode(bytes(wrong), file)
    for end in range(6, len(data)):
        with pytest.raises(BundleError):
            decode_by(data[:end], model)
        with pytest.raises(FormatError):
            seeds_decoder.decode(data[:end], file)


def test_damage_costs_one_patch_where_it_is_concealed(six: bytes) -> None:
    payloads = parse_seeds(six, conceal=False).payloads
    ends = len(six) - sum(map(len, payloads)) + np.cumsum([len(payload) for payload in payloads])
    for patch, end in enumerate(ends):
        if payloads[patch]:
            wrong = bytearray(six)
            wrong[end - 1] ^= 0x10
            assert parse_seeds(bytes(wrong), conceal=True).damaged == (patch,)
            assert patch in parse_seeds(six[: end - 1], conceal=True).damaged
    assert parse_seeds(write_seeds_bundle(ONE, [b"\1"])[:-1], conceal=True).damaged == (0,)


def _broken(name: str, value: int, place: int) -> Tensors:
    tensors = hand_tensors()
    tensors[name] = tensors[name].copy()
    tensors[name].flat[place] = value
    return tensors


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("sizes", 3, 0),
        ("coarse.symbols", -128, 0),
        ("fine.scales", 3, 1),
        ("fine.scales", 24, 2),
        ("coarse.scales", 16, 3),
        ("sizes", 33, 0),
        ("sizes", 0, 1),
        ("sizes", 17, 4),
        ("low.0.w0", -32768, 0),
        ("low.0.w0", 16401, 0),
        ("detail.2.2.b0", 1 << 24, 0),
        ("low.2.shifts", 24, 0),
        ("inject", -32768, 0),
        ("start", (1 << 20) + 1, 0),
        ("tables.raw_bits", 17, 0),
        ("tables.raw_bits", 1, 0),
        ("tables.reach", 2, 0),
        ("tables.frequencies", 0, 0),
        ("tables.frequencies", 32767, 0),
    ],
)
def test_models_that_break_a_bound(name: str, value: int, place: int) -> None:
    data = file_of(_broken(name, value, place))
    with pytest.raises((InvalidSettings, DamagedBundle)):
        load_model(data)
    with pytest.raises(FormatError):
        read_model(data)


@pytest.mark.parametrize("name", sorted(hand_tensors()))
def test_models_without_a_tensor_or_with_one_of_another_kind(name: str) -> None:
    tensors = hand_tensors()
    whole = tensors.pop(name)
    for wrong in (tensors, tensors | {name: whole.astype(np.int64)}, tensors | {name: whole[None]}):
        with pytest.raises(InvalidSettings, match="model cannot be used"):
            load_model(file_of(wrong))
        with pytest.raises(FormatError):
            read_model(file_of(wrong))
