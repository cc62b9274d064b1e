"""The pipeline: a picture to a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.codec.bundle import BundleHeader, encodable_fire_rate, pack_payloads, write_bundle
from core.codec.decoder import decode
from core.codec.engines.base import Rollout, Targets
from core.codec.fit import FitTask, Fitted
from core.codec.images import Picture
from core.codec.metrics import Quality, measure
from core.codec.patches import cut
from core.codec.presets import PATCH_SIZE, SCHEDULES
from core.codec.quantization import quantize
from core.codec.seeds import STEPS, make_seed
from core.codec.settings import EncodeSettings


@dataclass(frozen=True, slots=True)
class FittedPatches:
    """payloads: one per patch asked for. patch_iterations: run in all, summed over the patches."""

    payloads: list[bytes]
    patch_iterations: int


def header_of(picture: Picture, settings: EncodeSettings) -> BundleHeader:
    """The header of the bundle that this picture will become."""
    steps = SCHEDULES[settings.effort].steps or STEPS[settings.seed]
    return BundleHeader(
        height=picture.height,
        width=picture.width,
        patch_size=PATCH_SIZE,
        seed=settings.seed,
        shape=settings.preset.shape(picture.channels),
        rollout=Rollout(steps, encodable_fire_rate(settings.fire_rate), settings.seed_number & 0xFFFFFFFF),
    )


def fit_task(picture: Picture, indices: Sequence[int], settings: EncodeSettings) -> FitTask:
    """What has to be fitted for the patches named."""
    header = header_of(picture, settings)
    return FitTask(
        shape=header.shape,
        seed=make_seed(header.seed, header.shape, header.patch_size),
        targets=Targets(
            pixels=cut(picture, header.grid, indices),
            extents=np.array([header.grid.extent(index) for index in indices], dtype=np.int32),
        ),
        rollout=header.rollout,
        schedule=SCHEDULES[settings.effort],
        identities=tuple((settings.seed_number, index) for index in indices),
    )


def pack(task: FitTask, fitted: Fitted) -> FittedPatches:
    """Quantise what was fitted."""
    return FittedPatches(pack_payloads(quantize(fitted.weights, task.shape)), int(fitted.iterations.sum()))


def assemble(picture: Picture, settings: EncodeSettings, payloads: Sequence[bytes]) -> tuple[bytes, Quality]:
    """The bundle of all patches' payloads, and the quality of what the shipped decoder makes of it."""
    bundle = write_bundle(header_of(picture, settings), payloads)
    return bundle, measure(picture.pixels, decode(bundle).pixels)
