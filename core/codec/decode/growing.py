"""Growing a bundle's patches, a few hundred at once. Works where torch is not installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from regrow.core.codec.format.bundle import Bundle, OnDamage
from regrow.core.codec.format.fixed_point import IntegerRule, Integers, grow, integer_seed, visible_pixels
from regrow.core.codec.images import Pixels
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.errors import DamagedBundle

PATCHES_AT_ONCE = 512
"""Grown together: enough to keep every core busy, few enough that no picture needs much beside its own pixels."""


class Grower(Protocol):
    """Grows G rules of one shape from a seed; the pixels, uint8 (G, visible, height, width)."""

    def __call__(
        self, shape: RuleShape, rules: Sequence[IntegerRule], seed: Integers, rollout: Rollout
    ) -> npt.NDArray[np.uint8]: ...


def reference_grower(
    shape: RuleShape, rules: Sequence[IntegerRule], seed: Integers, rollout: Rollout
) -> npt.NDArray[np.uint8]:
    """As docs/FORMAT.md says it, in numpy, one rule after the other."""
    return np.stack([visible_pixels(grow(shape, rule, seed, rollout)[: shape.visible]) for rule in rules])


def seed_grower(
    shape: RuleShape, rules: Sequence[IntegerRule], seed: Integers, rollout: Rollout
) -> npt.NDArray[np.uint8]:
    """The state before the first step, which is the seed, whatever the rules."""
    del rollout
    return np.stack([visible_pixels(seed[: shape.visible])] * len(rules))


def fast_grower() -> Grower:
    """The compiled one, on as many threads as numba has."""
    from regrow.core.codec.decode.growers.compiled import (
        grow_batch,  # half a second to import, which not every process needs
    )

    return grow_batch


def grow_patches(
    bundle: Bundle, indices: Sequence[int], *, on_damage: OnDamage, grower: Grower, rollout: Rollout
) -> Iterator[tuple[int, Pixels | None]]:
    """The patches of these numbers, each with its pixels (visible, size, size), in any order.

    None instead of pixels for a patch whose payload turns out to be damaged, if `on_damage` is "conceal"; else raises
    DamagedBundle.
    """
    for start in range(0, len(indices), PATCHES_AT_ONCE):
        rules: dict[RuleShape, dict[int, IntegerRule]] = {}
        for index in indices[start : start + PATCHES_AT_ONCE]:
            try:
                rules.setdefault(bundle.shape(index), {})[index] = bundle.rule(index)
            except DamagedBundle:
                if on_damage == "refuse":
                    raise
                yield index, None
        for shape, some in rules.items():
            seed = integer_seed(bundle.header.seed, shape, bundle.header.patch_size)
            if some:
                yield from zip(some, grower(shape, list(some.values()), seed, rollout), strict=True)
