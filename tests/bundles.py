"""Bundles of random rules, made without any training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from regrow.core.codec.coder import Coder
from regrow.core.codec.format.bundle import BundleHeader, write_bundle
from regrow.core.codec.format.fixed_point import IntegerRule, Scales
from regrow.core.codec.format.payload import write_payload
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.seeds import SeedKind

SHAPE = RuleShape(6, 5)


def random_rule(shape: RuleShape, seed: int) -> IntegerRule:
    """A rule that grows something neither flat nor all black and white."""
    rng = np.random.default_rng(seed)
    symbols = np.rint(rng.logistic(0, 6, shape.parameters)).clip(-127, 127).astype(np.int8)
    precision = int(rng.integers(10, 14))
    return IntegerRule(symbols, Scales(int(rng.integers(80, 96)), precision, precision - 1, int(rng.integers(4, 7))))


def random_bundle(
    height: int,
    width: int,
    *,
    shapes: Sequence[RuleShape] = (SHAPE,),
    seed_kind: SeedKind = SeedKind.SCAFFOLD,
    rollout: Rollout | None = None,
    coder: Coder = Coder.ANS,
    patch_size: int = 40,
    seed: int = 1,
) -> bytes:
    """A bundle whose patches take turns with the presets."""
    header = BundleHeader(height, width, patch_size, seed_kind, rollout or Rollout(4), coder, tuple(shapes))
    payloads = []
    for patch in range(header.grid.count):
        preset = patch % len(shapes)
        rule = random_rule(shapes[preset], 1000 * seed + patch)
        payloads.append(write_payload(shapes[preset], rule, coder, preset))
    return write_bundle(header, payloads)
