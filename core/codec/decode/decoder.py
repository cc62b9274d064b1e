"""Regrowing: a bundle to pixels, in integers, the same on every machine. Works where torch is not installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from regrow.core.codec.decode.conceal import conceal
from regrow.core.codec.format.bundle import Bundle, OnDamage, read_bundle
from regrow.core.codec.format.fixed_point import IntegerRule, Integers, Scales, grow, integer_seed, visible_pixels
from regrow.core.codec.images import Picture, Pixels
from regrow.core.codec.patches import paste
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.seeds import SeedKind
from regrow.core.errors import DamagedBundle

PATCHES_AT_ONCE = 512
"""Grown together: enough to keep every core busy, few enough that no picture needs much beside its own pixels."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """damaged: numbers of the patches that were not regrown but filled from their neighbours."""

    picture: Picture
    damaged: tuple[int, ...]


class Grower(Protocol):
    """Grows G rules of one shape from a seed; the pixels, uint8 (G, visible, height, width)."""

    def __call__(
        self, shape: RuleShape, rules: Sequence[IntegerRule], seed: Integers, rollout: Rollout
    ) -> npt.NDArray[np.uint8]: ...


def reference_grower(
    shape: RuleShape, rules: Sequence[IntegerRule], seed: Integers, rollout: Rollout
) -> npt.NDArray[np.uint8]:
    """numpy, one rule after the other."""
    return np.stack([visible_pixels(grow(shape, rule, seed, rollout)[: shape.visible]) for rule in rules])


def fast_grower() -> Grower:
    """numba, on all its threads."""
    from regrow.core.codec.decode.growers.compiled import (
        grow_batch,  # half a second to import, which not every process needs
    )

    return grow_batch


def warm_up() -> None:
    """Import and compile the fast decoder, so that the first picture need not wait for it."""
    shape = RuleShape(4, 2)
    rule = IntegerRule(np.zeros(shape.parameters, dtype=np.int8), Scales(64, 12, 12, 0))
    fast_grower()(shape, [rule], integer_seed(SeedKind.SCAFFOLD, shape, 40), Rollout(1))


def decode(data: bytes, on_damage: OnDamage = "refuse", *, grower: Grower | None = None) -> Decoded:
    """The picture in a bundle's bytes.

    on_damage: "conceal" fills patches whose payload is damaged from their neighbours, and lists them. Raises
    BundleError.
    """
    return decode_bundle(read_bundle(data, on_damage), on_damage, grower=grower)


def decode_bundle(bundle: Bundle, on_damage: OnDamage = "refuse", *, grower: Grower | None = None) -> Decoded:
    """The picture in a parsed bundle. Raises DamagedBundle."""
    header = bundle.header
    pixels = np.zeros((header.height, header.width, header.visible), dtype=np.uint8)
    damaged = list(bundle.damaged)
    lost = set(bundle.damaged)
    whole = [index for index in range(header.grid.count) if index not in lost]
    for start in range(0, len(whole), PATCHES_AT_ONCE):
        some = whole[start : start + PATCHES_AT_ONCE]
        grown, failed = grow_patches(bundle, some, on_damage, grower or fast_grower())
        damaged += failed
        for index, patch in grown.items():
            paste(pixels, header.grid, index, patch)
    conceal(pixels, header.grid, sorted(damaged))
    return Decoded(Picture(pixels), tuple(sorted(damaged)))


def grow_patches(
    bundle: Bundle, indices: Sequence[int], on_damage: OnDamage, grower: Grower
) -> tuple[dict[int, Pixels], list[int]]:
    """The patches (visible, size, size) that could be grown, and the numbers of those that could not."""
    header, failed = bundle.header, []
    rules: dict[RuleShape, dict[int, IntegerRule]] = {}
    for index in indices:
        try:
            rules.setdefault(bundle.shape(index), {})[index] = bundle.rule(index)
        except DamagedBundle:
            if on_damage == "refuse":
                raise
            failed.append(index)
    grown: dict[int, Pixels] = {}
    for shape, some in rules.items():
        seed = integer_seed(header.seed, shape, header.patch_size)
        if some:
            grown |= zip(some, grower(shape, list(some.values()), seed, header.rollout), strict=True)
    return grown, failed


def at_step(bundle: Bundle, step: int) -> Bundle:
    """The same bundle, grown for so many steps only; at most as many as it has."""
    rollout = bundle.header.rollout
    return replace(bundle, header=replace(bundle.header, rollout=replace(rollout, steps=min(step, rollout.steps))))
