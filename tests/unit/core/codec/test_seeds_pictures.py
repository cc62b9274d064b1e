"""Pictures of the profile `seeds` put together: sizes, crops, steps of the growth, damage."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from regrow.core.codec.decode import Box, View, decode, decode_bundle
from regrow.core.codec.decode.animation import frames
from regrow.core.codec.decode.decoder import decode_steps
from regrow.core.codec.decode.seeds import picture as of_seeds
from regrow.core.codec.decode.seeds.reference import PatchSeeds, decode_patch, encode_patch
from regrow.core.codec.format.bundle import read_bundle
from regrow.core.codec.format.seeds.bundle import SeedsBundle, SeedsHeader, write_seeds_bundle
from regrow.core.codec.format.seeds.model import released_model
from regrow.core.errors import DamagedBundle, InvalidSettings, UnsupportedBundle
from tests.bundles import random_seeds_bundle

bundle_of = functools.cache(random_seeds_bundle)
SEVERAL = (65, 71)
"""In patches of up to 64: two rows that are split into 2 and 3 scales, two columns."""


def _read(data: bytes) -> SeedsBundle:
    bundle = read_bundle(data)
    assert isinstance(bundle, SeedsBundle)
    return bundle


@pytest.mark.exact
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 90), (33, 9), SEVERAL])
def test_a_picture_is_its_patches(size: tuple[int, int], channels: int) -> None:
    data = bundle_of(*size, channels=channels)
    bundle, pixels = _read(data), decode(data).picture.pixels
    assert pixels.shape == (*size, channels)
    grid = bundle.header.grid
    for index, payload in enumerate(bundle.payloads):
        (top, left), extent = grid.origin(index), grid.extent(index)
        patch = decode_patch(payload, released_model(1), extent, channels, bundle.header.step)
        np.testing.assert_array_equal(pixels[top : top + extent[0], left : left + extent[1]], patch)


def test_a_crop_is_a_cut_of_the_whole_and_grows_only_what_it_touches(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bundle_of(300, 260, channels=1, longest=256)
    bundle, whole = _read(data), decode(data).picture.pixels
    assert bundle.header.grid.count == 4
    grown: list[int] = []
    growth = of_seeds._growth
    monkeypatch.setattr(
        of_seeds, "_growth", lambda bundle, index, **keep: grown.append(index) or growth(bundle, index, **keep)
    )
    for box, touched in (
        (Box(0, 0, 130, 150), [0]),
        (Box(130, 0, 1, 150), [1]),
        (Box(129, 149, 2, 2), [0, 1, 2, 3]),
        (Box(5, 150, 255, 1), [2, 3]),
    ):
        grown.clear()
        part = decode_bundle(bundle, View(box)).picture.pixels
        np.testing.assert_array_equal(part, whole[box.y : box.y + box.height, box.x : box.x + box.width])
        assert sorted(grown) == touched


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), SEVERAL])
def test_steps_go_from_the_coarsest_to_the_picture(size: tuple[int, int], channels: int) -> None:
    data = bundle_of(*size, channels=channels)
    bundle, whole = _read(data), decode(data).picture.pixels
    steps = bundle.header.steps
    assert steps == 3 * (1 + released_model(1).coarse_steps) + released_model(1).fine_steps or size == (1, 1)
    shown = [picture.pixels for picture in decode_steps(bundle, range(steps + 1))]
    np.testing.assert_array_equal(shown[-1], whole)
    for step in (0, steps // 2, steps):
        np.testing.assert_array_equal(shown[step], decode_bundle(bundle, View(step=step)).picture.pixels)
    if channels == 4:
        assert all((pixels[..., 3] == whole[..., 3]).all() for pixels in shown), "alpha is there from the start"
    with pytest.raises(InvalidSettings, match=f"from 0 to {steps}"):
        decode_bundle(bundle, View(step=steps + 1))


def test_patches_of_fewer_steps_begin_later() -> None:
    bundle = _read(bundle_of(*SEVERAL))
    short, long = of_seeds.growths_of(bundle, [0, 2]).values()
    assert (short.begins, long.begins) == (1 + released_model(1).coarse_steps, 0)
    for step in range(short.begins + 1):
        np.testing.assert_array_equal(short.at(step), short.at(0))
    assert not np.array_equal(long.at(0), long.at(short.begins))


def test_an_animation_grows_every_patch_once(monkeypatch: pytest.MonkeyPatch) -> None:
    grown: list[int] = []
    growth = of_seeds._growth
    data = bundle_of(*SEVERAL)
    bundle, whole = _read(data), decode(data).picture.pixels
    monkeypatch.setattr(of_seeds, "_growth", lambda bundle, index: grown.append(index) or growth(bundle, index))
    shown = list(frames(bundle, Box(0, 40, 71, 20), 2))
    assert len(shown) == 1 + bundle.header.steps
    assert sorted(grown) == [2, 3]
    np.testing.assert_array_equal(shown[-1].pixels[::2, ::2], whole[40:60])


def test_nothing_is_grown_where_nothing_is_seen() -> None:
    header = SeedsHeader(20, 20, 4, 800, 64, 1)
    nothing = PatchSeeds(np.zeros((3, 5, 5), dtype=np.int32), (), np.zeros((20, 20), dtype=np.uint8))
    bundle = SeedsBundle(header, (encode_patch(nothing, released_model(1), (20, 20), 800)[0],))
    assert not any(picture.pixels.any() for picture in frames(bundle))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_damaged_patch_costs_itself(channels: int) -> None:
    data = bundle_of(*SEVERAL, channels=channels)
    whole = decode(data).picture.pixels
    broken = bytearray(data)
    broken[-1] ^= 1
    with pytest.raises(DamagedBundle, match="patch 3"):
        decode(bytes(broken))
    decoded = decode(bytes(broken), on_damage="conceal")
    assert decoded.damaged == (3,)
    top, left = read_bundle(data).header.grid.origin(3)
    kept = np.ones(SEVERAL, dtype=bool)
    kept[top:, left:] = False
    np.testing.assert_array_equal(decoded.picture.pixels[kept], whole[kept])
    part = decode(bytes(broken), View(Box(60, 60, 5, 5)), on_damage="conceal")
    np.testing.assert_array_equal(part.picture.pixels, decoded.picture.pixels[60:65, 60:65])


def test_damage_that_only_reading_finds_is_concealed_too() -> None:
    bundle = _read(bundle_of(*SEVERAL))
    payloads = list(bundle.payloads)
    payloads[1] += b"\xff" * 9
    data = write_seeds_bundle(bundle.header, payloads)
    with pytest.raises(DamagedBundle, match="patch 1: "):
        decode(data)
    assert decode(data, on_damage="conceal").damaged == (1,)
    assert decode(data, View(step=2), on_damage="conceal").damaged == (1,)


def test_a_model_that_is_not_known_is_refused() -> None:
    data = bundle_of(1, 1)
    header = _read(data).header
    unknown = SeedsHeader(header.height, header.width, header.channels, header.step, header.longest, 200)
    with pytest.raises(UnsupportedBundle, match="model 200"):
        read_bundle(write_seeds_bundle(unknown, _read(data).payloads))
