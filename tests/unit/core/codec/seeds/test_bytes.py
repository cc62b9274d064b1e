"""Bundles of the profile `seeds` as bytes, and the numbers that the format is made of."""

from __future__ import annotations

import numpy as np
import pytest

from regrow.core.codec.format.seeds.arithmetic import MANTISSAS, STEPS_PER_OCTAVE
from regrow.core.codec.format.seeds.bundle import SeedsHeader, parse_seeds, seeds_bundle_size, write_seeds_bundle
from regrow.core.codec.format.seeds.contexts import LARGEST_SQUASHED, squash_table
from regrow.core.codec.format.seeds.model import load_model
from regrow.core.errors import BundleError, DamagedBundle, InvalidSettings

ONE = SeedsHeader(height=40, width=250, channels=3, step=900, longest=256, model=1)
FOUR = SeedsHeader(height=16_384, width=60, channels=4, step=2560, longest=512, model=255)


@pytest.mark.parametrize(("header", "beside"), [(ONE, 16), (FOUR, 16 + 6 * 32)])
def test_what_is_written_is_read(header: SeedsHeader, beside: int) -> None:
    payloads = [bytes([number]) * number for number in range(1, header.tiling.count + 1)]
    data = write_seeds_bundle(header, payloads)
    parsed = parse_seeds(data, conceal=False)
    assert (parsed.header, list(parsed.payloads), parsed.damaged) == (header, payloads, ())
    sizes = [len(payload) for payload in payloads]
    assert len(data) == seeds_bundle_size(header, sizes) <= sum(sizes) + beside


@pytest.mark.parametrize("longest", [64, 512])
def test_a_flipped_bit_or_a_missing_end_is_told(longest: int) -> None:
    header = SeedsHeader(height=100, width=130, channels=1, step=0, longest=longest, model=1)
    data = write_seeds_bundle(header, [bytes([1, 2, 3])] * header.tiling.count)
    for bit in range(8 * 7, 8 * len(data)):  # what is before tells which parser reads
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BundleError):
            parse_seeds(bytes(wrong), conceal=False)
    for end in range(6, len(data)):
        with pytest.raises(BundleError):
            parse_seeds(data[:end], conceal=False)


def test_damage_costs_one_patch_where_it_is_concealed() -> None:
    header = SeedsHeader(height=100, width=130, channels=1, step=0, longest=64, model=1)
    data = write_seeds_bundle(header, [bytes([1, 2, 3])] * 6)
    assert parse_seeds(data[:-4], conceal=True).damaged == (4, 5)
    assert parse_seeds(data[:-1] + b"\0", conceal=True).damaged == (5,)


def test_the_tables_of_the_format_lie_near_no_tie() -> None:
    squashed = 128 * np.log1p(np.arange(LARGEST_SQUASHED + 1))
    mantissas = 2.0 ** (15 + np.arange(STEPS_PER_OCTAVE) / STEPS_PER_OCTAVE)
    for exact, whole in ((squashed, squash_table()), (mantissas, MANTISSAS)):
        assert np.abs(exact - whole).max() < 0.5 - 1e-6


def test_a_file_that_is_no_model_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="model cannot be used"):
        load_model(b"not a model")


@pytest.mark.parametrize("sides", [b"\x80\x00\x00", b"\x00\xff\xff", b"\x00\x80"])
def test_a_side_that_is_not_written_as_it_should_be_is_refused(sides: bytes) -> None:
    """One that would fit a byte in two; one beyond the limit; one that ends too early."""
    with pytest.raises(DamagedBundle, match="header"):
        parse_seeds(b"GNCA\x01\x01\x01\x00\x80" + sides, conceal=False)
