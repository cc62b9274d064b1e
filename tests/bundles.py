"""Bundles of random rules and of random seeds, made without any training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from regrow.core.codec.coder import Coder
from regrow.core.codec.decode.seeds.reference import PatchSeeds, encode_patch
from regrow.core.codec.format.bundle import BundleHeader, write_bundle
from regrow.core.codec.format.fixed_point import IntegerRule, Scales
from regrow.core.codec.format.payload import write_payload
from regrow.core.codec.format.seeds.bundle import SeedsHeader, write_seeds_bundle
from regrow.core.codec.format.seeds.geometry import Size, band_sizes, scale_sizes
from regrow.core.codec.format.seeds.model import RELEASED, released_model
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


def random_seeds_bundle(height: int, width: int, *, channels: int = 3, longest: int = 64, seed: int = 1) -> bytes:
    """A bundle of the profile `seeds`, of soft spots that no two patches have alike; alpha is random."""
    header = SeedsHeader(height, width, channels, step=800, longest=longest, model=max(RELEASED))
    rng, model = np.random.default_rng(seed), released_model(max(RELEASED))
    payloads = []
    for patch in range(header.grid.count):
        size = header.grid.extent(patch)
        payloads.append(encode_patch(random_seeds(rng, size, channels), model, size, header.step)[0])
    return write_seeds_bundle(header, payloads)


def random_seeds(rng: np.random.Generator, size: Size, channels: int) -> PatchSeeds:
    """Seeds of a patch: any brightness at its coarsest, and few details."""
    colours, sizes = min(channels, 3), scale_sizes(size)
    low_pass = rng.integers(-3, 4, (colours, *sizes[-1]), dtype=np.int32)

    def details(size: Size) -> npt.NDArray[np.int32]:
        return rng.binomial(2, 0.1, (colours, *size)).astype(np.int32)

    bands = [band_sizes(finer) for finer in reversed(sizes[:-1])]
    alpha = rng.integers(0, 256, size, dtype=np.uint8) if channels == 4 else None
    return PatchSeeds(low_pass, tuple((details(hl), details(lh), details(hh)) for hl, lh, hh in bands), alpha)
