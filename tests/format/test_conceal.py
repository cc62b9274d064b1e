"""Tolerant decoding: damage confined to payloads costs those patches only (checklist row B1)."""

from __future__ import annotations

import time

import numpy as np
import pytest

from regrow.core.codec.decode import Box, View, decode
from regrow.core.codec.decode.conceal import conceal
from regrow.core.codec.format.bundle import read_bundle, write_bundle
from regrow.core.codec.patches import PatchGrid
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.errors import BundleError, DamagedBundle
from tests.bundles import random_bundle

DATA = random_bundle(20, 30, patch_size=10)
BUNDLE = read_bundle(DATA)
STARTS = np.cumsum([len(DATA) - sum(map(len, BUNDLE.payloads)), *map(len, BUNDLE.payloads)])


def test_every_bit_flip_of_a_payload_costs_one_patch() -> None:
    whole = decode(DATA).picture.pixels
    for byte in range(STARTS[0], len(DATA), 3):
        broken = bytearray(DATA)
        broken[byte] ^= 1 << byte % 8
        decoded = decode(bytes(broken), on_damage="conceal")
        patch = int(np.searchsorted(STARTS, byte, side="right")) - 1
        assert decoded.damaged == (patch,)
        top, left = BUNDLE.header.grid.origin(patch)
        changed = (decoded.picture.pixels != whole).any(axis=2)
        changed[top : top + 10, left : left + 10] = False
        assert not changed.any()


def test_damage_to_header_or_table_is_an_error_all_the_same() -> None:
    for byte in range(STARTS[0]):
        broken = bytearray(DATA)
        broken[byte] ^= 0x10
        with pytest.raises(BundleError):
            decode(bytes(broken), on_damage="conceal")


def test_a_file_cut_short_keeps_the_patches_it_has() -> None:
    decoded = decode(DATA[: STARTS[4] + 1], on_damage="conceal")
    assert decoded.damaged == (4, 5)
    with pytest.raises(DamagedBundle):
        decode(DATA[: STARTS[4] + 1])
    with pytest.raises(DamagedBundle):
        decode(DATA + b"more", on_damage="conceal")


def test_a_payload_that_lies_under_a_right_checksum_is_concealed_too() -> None:
    payloads = list(BUNDLE.payloads)
    payloads[2] = payloads[2][:-1]
    assert decode(write_bundle(BUNDLE.header, payloads), on_damage="conceal").damaged == (2,)


def test_filling_is_smooth_between_neighbours() -> None:
    pixels = np.repeat(np.linspace(0, 240, 30)[None, :, None], 30, axis=0).astype(np.uint8)
    damaged = pixels.copy()
    damaged[10:20, 10:20] = 255
    conceal(damaged, PatchGrid(30, 30, 10), [4])
    assert np.abs(damaged.astype(int) - pixels).max() < 40
    np.testing.assert_array_equal(damaged[:10], pixels[:10])


def test_holes_larger_than_a_patch_are_filled_from_their_edges() -> None:
    pixels = np.full((50, 50, 1), 77, dtype=np.uint8)
    lost = [row * 5 + column for row in (1, 2, 3) for column in (1, 2, 3)]
    for index in lost:
        top, left = PatchGrid(50, 50, 10).origin(index)
        pixels[top : top + 10, left : left + 10] = 0
    conceal(pixels, PatchGrid(50, 50, 10), lost)
    assert (pixels == 77).all()


def test_nothing_left_is_grey() -> None:
    pixels = np.zeros((20, 20, 3), dtype=np.uint8)
    conceal(pixels, PatchGrid(20, 20, 10), range(4))
    assert (pixels == 128).all()


def test_many_lost_patches_take_no_time() -> None:
    """A search for each patch among all others would take minutes."""
    data = random_bundle(100, 100, patch_size=1, shapes=[RuleShape(4, 1)], rollout=Rollout(1))
    start = time.perf_counter()
    decoded = decode(data[: len(data) // 2], on_damage="conceal")
    assert len(decoded.damaged) > 1000
    assert time.perf_counter() - start < 30


@pytest.mark.parametrize("box", [Box(0, 0, 30, 20), Box(3, 5, 4, 4), Box(8, 2, 13, 17), Box(25, 0, 5, 5)])
def test_a_crop_of_a_concealed_picture_is_a_part_of_it(box: Box) -> None:
    broken = bytearray(DATA)
    for patch in (0, 1, 3):
        broken[STARTS[patch] + 1] ^= 1
    whole, part = decode(bytes(broken), on_damage="conceal"), decode(bytes(broken), View(box), on_damage="conceal")
    cut = np.s_[box.y : box.y + box.height, box.x : box.x + box.width]
    np.testing.assert_array_equal(part.picture.pixels, whole.picture.pixels[cut])
    assert part.damaged == tuple(index for index in whole.damaged if index in _touched(box))


def _touched(box: Box) -> set[int]:
    numbers = np.arange(6).reshape(2, 3).repeat(10, axis=0).repeat(10, axis=1)
    return set(numbers[box.y : box.y + box.height, box.x : box.x + box.width].flat)
