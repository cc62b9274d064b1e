"""Decoding: a bundle to pixels, in integers, the same on every machine. Works where torch is not installed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from regrow.core.codec.decode.conceal import conceal
from regrow.core.codec.decode.growing import Grower, fast_grower, grow_patches, seed_grower
from regrow.core.codec.decode.view import Box, View
from regrow.core.codec.format.bundle import AnyBundle, Bundle, OnDamage, read_bundle
from regrow.core.codec.format.seeds.bundle import SeedsBundle
from regrow.core.codec.images import Picture, Pixels
from regrow.core.codec.patches import Grid, paste

WHOLE = View()

GrowPatches = Callable[[Sequence[int]], Iterable[tuple[int, Pixels | None]]]
"""The patches of these numbers in any order, each with its pixels (visible, height, width), or None if it is lost."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """damaged: numbers of the patches in the view that could not be regrown, and were filled from their neighbours."""

    picture: Picture
    damaged: tuple[int, ...] = ()


def decode(data: bytes, view: View = WHOLE, *, on_damage: OnDamage = "refuse", grower: Grower | None = None) -> Decoded:
    """What a view shows of the picture in a bundle's bytes; only the patches in it are grown.

    on_damage: "conceal" fills patches whose payload is damaged from their neighbours, and lists them. grower: of the
    profile `rules`. Raises BundleError, and InvalidSettings where the picture has no such view.
    """
    return decode_bundle(read_bundle(data, on_damage), view, on_damage=on_damage, grower=grower)


def decode_bundle(
    bundle: AnyBundle, view: View = WHOLE, *, on_damage: OnDamage = "refuse", grower: Grower | None = None
) -> Decoded:
    """As `decode`, of a bundle that is read already. Raises DamagedBundle, InvalidSettings."""
    view.refuse_impossible(bundle.header)
    if isinstance(bundle, SeedsBundle):
        from regrow.core.codec.decode.seeds import picture  # which imports numba

        return _shown(bundle, view, partial(picture.grow_patches, bundle, on_damage=on_damage, step=view.step))
    return _shown(bundle, view, _grow_rules(bundle, view.step, on_damage, grower or fast_grower()))


def decode_steps(bundle: AnyBundle, steps: Sequence[int], crop: Box | None = None, scale: int = 1) -> Iterator[Picture]:
    """The picture after each of these steps of its growth. Raises DamagedBundle, InvalidSettings.

    A patch of the profile `seeds` is grown once for all of them, one of `rules` once for each.
    """
    if not isinstance(bundle, SeedsBundle):
        for step in steps:
            yield decode_bundle(bundle, View(crop, step, scale)).picture
        return
    from regrow.core.codec.decode.seeds import picture

    view = View(crop, None, scale)
    view.refuse_impossible(bundle.header)
    growths = picture.growths_of(bundle, _touched(bundle.header.grid, view.box(bundle.header)))
    for step in steps:
        yield _shown(bundle, view, partial(picture.patches_at, growths, step)).picture


def _grow_rules(bundle: Bundle, step: int | None, on_damage: OnDamage, grower: Grower) -> GrowPatches:
    rollout = bundle.header.rollout
    if step == 0:
        grower = seed_grower
    elif step is not None:
        rollout = replace(rollout, steps=step)
    return partial(grow_patches, bundle, on_damage=on_damage, grower=grower, rollout=rollout)


def _shown(bundle: AnyBundle, view: View, grow: GrowPatches) -> Decoded:
    """What a view shows, enlarged."""
    pixels, damaged = _put_together(bundle, view.box(bundle.header), grow)
    if view.scale > 1:
        pixels = pixels.repeat(view.scale, axis=0).repeat(view.scale, axis=1)
    return Decoded(Picture(pixels), damaged)


def _put_together(bundle: AnyBundle, box: Box, grow: GrowPatches) -> tuple[Pixels, tuple[int, ...]]:
    """The box's pixels, uint8 (height, width, visible), and the numbers of the patches in it that were filled."""
    header = bundle.header
    pixels = np.zeros((box.height, box.width, header.visible), dtype=np.uint8)
    touched, damaged = _touched(header.grid, box), set(bundle.damaged)
    lost = [index for index in touched if index in damaged]
    for index, patch in grow([index for index in touched if index not in damaged]):
        if patch is None:
            lost.append(index)
        else:
            paste(pixels, header.grid, index, patch, (box.y, box.x))
    if not lost:
        return pixels, ()
    whole = Box(0, 0, header.width, header.height)
    if box != whole:  # what a patch is filled from may lie outside of the box
        filled, _ = _put_together(bundle, whole, grow)
        pixels = filled[box.y : box.y + box.height, box.x : box.x + box.width].copy()
    else:
        conceal(pixels, header.grid, sorted(lost))
    return pixels, tuple(sorted(lost))


def _touched(grid: Grid, box: Box) -> list[int]:
    """Numbers of the patches that have pixels in the box."""
    rows = _meeting(
        [(grid.origin(r * grid.columns)[0], grid.extent(r * grid.columns)[0]) for r in range(grid.rows)],
        box.y,
        box.height,
    )
    columns = _meeting([(grid.origin(c)[1], grid.extent(c)[1]) for c in range(grid.columns)], box.x, box.width)
    return [row * grid.columns + column for row in rows for column in columns]


def _meeting(spans: Sequence[tuple[int, int]], start: int, length: int) -> list[int]:
    """Numbers of the spans, each a start and a length, that have something in common with another."""
    return [number for number, (at, long) in enumerate(spans) if at < start + length and start < at + long]
