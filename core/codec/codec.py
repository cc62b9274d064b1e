"""The pipeline: a picture to a bundle and its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.codec.bundle import (
    BundleHeader,
    encodable_fire_rate,
    pack_payloads,
    write_bundle,
)
from core.codec.decoder import decode
from core.codec.engines.base import Engine, Rollout, Targets
from core.codec.fit import FitHooks, fit
from core.codec.images import Picture
from core.codec.metrics import Quality, measure
from core.codec.patches import cut
from core.codec.presets import PATCH_SIZE, SCHEDULES
from core.codec.quantization import quantize
from core.codec.seeds import STEPS, make_seed
from core.codec.settings import EncodeSettings


@dataclass(frozen=True, slots=True)
class FittedPatches:
    """payloads: one per patch asked for; iterations: run for each of them."""

    payloads: list[bytes]
    iterations: int


def header_of(picture: Picture, settings: EncodeSettings) -> BundleHeader:
    """The header of the bundle that this picture will become."""
    rollout = Rollout(STEPS[settings.seed], encodable_fire_rate(settings.fire_rate), settings.seed_number & 0xFFFFFFFF)
    return BundleHeader(
        height=picture.height,
        width=picture.width,
        patch_size=PATCH_SIZE,
        seed=settings.seed,
        shape=settings.preset.shape(picture.channels),
        rollout=rollout,
    )


def fit_patches(
    engine: Engine,
    picture: Picture,
    indices: Sequence[int],
    settings: EncodeSettings,
    hooks: FitHooks | None = None,
) -> FittedPatches:
    """Fit and quantise the patches named. Raises FitStopped when the hooks ask for it."""
    header = header_of(picture, settings)
    targets = Targets(
        pixels=cut(picture, header.grid, indices),
        extents=np.array([header.grid.extent(index) for index in indices], dtype=np.int32),
    )
    fitted = fit(
        engine,
        header.shape,
        make_seed(header.seed, header.shape, header.patch_size),
        targets,
        header.rollout,
        SCHEDULES[settings.effort],
        [np.random.default_rng((settings.seed_number, index)) for index in indices],
        hooks,
    )
    return FittedPatches(pack_payloads(quantize(fitted.weights, header.shape)), fitted.iterations)


def assemble(picture: Picture, settings: EncodeSettings, payloads: Sequence[bytes]) -> tuple[bytes, Quality]:
    """The bundle of all patches' payloads, and the quality of what the shipped decoder makes of it."""
    bundle = write_bundle(header_of(picture, settings), payloads)
    return bundle, measure(picture.pixels, decode(bundle).pixels)
