"""Decoding: a bundle to pixels, in integers, the same on every machine. Works where torch is not installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from regrow.core.codec.decode.conceal import conceal
from regrow.core.codec.decode.growing import Grower, fast_grower, grow_patches, seed_grower
from regrow.core.codec.decode.view import Box, View
from regrow.core.codec.format.bundle import Bundle, OnDamage, read_bundle
from regrow.core.codec.images import Picture, Pixels
from regrow.core.codec.patches import PatchGrid, paste
from regrow.core.codec.rollout import Rollout

WHOLE = View()


@dataclass(frozen=True, slots=True)
class Decoded:
    """damaged: numbers of the patches in the view that could not be regrown, and were filled from their neighbours."""

    picture: Picture
    damaged: tuple[int, ...] = ()


def decode(data: bytes, view: View = WHOLE, *, on_damage: OnDamage = "refuse", grower: Grower | None = None) -> Decoded:
    """What a view shows of the picture in a bundle's bytes; only the patches in it are grown.

    on_damage: "conceal" fills patches whose payload is damaged from their neighbours, and lists them. Raises
    BundleError, and InvalidSettings where the picture has no such view.
    """
    return decode_bundle(read_bundle(data, on_damage), view, on_damage=on_damage, grower=grower)


def decode_bundle(
    bundle: Bundle, view: View = WHOLE, *, on_damage: OnDamage = "refuse", grower: Grower | None = None
) -> Decoded:
    """As `decode`, of a bundle that is read already. Raises DamagedBundle, InvalidSettings."""
    view.refuse_impossible(bundle.header)
    rollout, grower = bundle.header.rollout, grower or fast_grower()
    if view.step == 0:
        grower = seed_grower
    elif view.step is not None:
        rollout = replace(rollout, steps=view.step)
    pixels, damaged = _grow(bundle, view.box(bundle.header), rollout, on_damage, grower)
    if view.scale > 1:
        pixels = pixels.repeat(view.scale, axis=0).repeat(view.scale, axis=1)
    return Decoded(Picture(pixels), damaged)


def _grow(
    bundle: Bundle, box: Box, rollout: Rollout, on_damage: OnDamage, grower: Grower
) -> tuple[Pixels, tuple[int, ...]]:
    """The box's pixels, uint8 (height, width, visible), and the numbers of the patches in it that were filled."""
    header = bundle.header
    pixels = np.zeros((box.height, box.width, header.visible), dtype=np.uint8)
    touched, damaged = _touched(header.grid, box), set(bundle.damaged)
    lost = [index for index in touched if index in damaged]
    sound = [index for index in touched if index not in damaged]
    for index, patch in grow_patches(bundle, sound, on_damage, grower, rollout):
        if patch is None:
            lost.append(index)
        else:
            paste(pixels, header.grid, index, patch, (box.y, box.x))
    if not lost:
        return pixels, ()
    whole = Box(0, 0, header.width, header.height)
    if box != whole:  # what a patch is filled from may lie outside of the box
        filled, _ = _grow(bundle, whole, rollout, on_damage, grower)
        pixels = filled[box.y : box.y + box.height, box.x : box.x + box.width].copy()
    else:
        conceal(pixels, header.grid, sorted(lost))
    return pixels, tuple(sorted(lost))


def _touched(grid: PatchGrid, box: Box) -> Sequence[int]:
    """Numbers of the patches that have pixels in the box."""
    rows = range(box.y // grid.size, -(-(box.y + box.height) // grid.size))
    columns = range(box.x // grid.size, -(-(box.x + box.width) // grid.size))
    return [row * grid.columns + column for row in rows for column in columns]
