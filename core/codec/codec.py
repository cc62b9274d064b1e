"""The pipeline: a picture to a bundle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.codec.allocation import Candidate, allocate
from core.codec.budget import grid_of, levels_of, rollout_of
from core.codec.bundle import MAX_PRESETS, BundleHeader, bundle_size, write_bundle
from core.codec.decoder import decode
from core.codec.drafts import RoundedRule
from core.codec.encoded import Encoded
from core.codec.engines.base import Targets
from core.codec.engines.numba_integer import grow_batch
from core.codec.fit import Fitted
from core.codec.fit_task import FitTask
from core.codec.fixed_point import integer_seed
from core.codec.images import Picture
from core.codec.metrics import measure, squared_error
from core.codec.patches import cut, to_bytes
from core.codec.payload import Coder, with_preset, write_payload
from core.codec.presets import PATCH_SIZE, SCHEDULES, Preset
from core.codec.rule import RuleShape
from core.codec.settings import EncodeSettings
from core.errors import BudgetTooSmall

ENOUGH = 0.5
"""A patch whose error is below this share of the target's gets no larger preset: at one price for the whole picture,
hardly any patch is worth making better than that."""


def fit_task(picture: Picture, indices: Sequence[int], settings: EncodeSettings, preset: Preset) -> FitTask:
    """What has to be fitted for the patches named."""
    grid = grid_of(picture)
    return FitTask(
        shape=preset.shape(picture.channels),
        seed=settings.seed,
        targets=Targets(
            pixels=cut(picture, grid, indices),
            extents=np.array([grid.extent(index) for index in indices], dtype=np.int32),
        ),
        rollout=rollout_of(settings),
        schedule=SCHEDULES[settings.effort],
        identities=tuple((settings.seed_number, index) for index in indices),
        levels=levels_of(settings),
        one_byte=settings.coder is Coder.BYTES or SCHEDULES[settings.effort].groups == 0,
    )


def candidates_of(task: FitTask, fitted: Fitted, settings: EncodeSettings) -> list[list[Candidate]]:
    """Each patch's rules, as payloads."""
    return [
        [
            Candidate(task.shape, write_payload(task.shape, each.rule, settings.coder, 0), error)
            for each, error in zip(rules, _errors(task, number, rules), strict=True)
        ]
        for number, rules in enumerate(fitted.rules)
    ]


def _errors(task: FitTask, number: int, rules: Sequence[RoundedRule]) -> list[int]:
    """Of a patch's rules. A fit weighs every value alike; with alpha, what is seen is another sum."""
    if task.shape.visible != 4:
        return [rule.error for rule in rules]
    rows, columns = (int(size) for size in task.targets.extents[number])
    target = to_bytes(task.targets.pixels[number, :, :rows, :columns])
    seed = integer_seed(task.seed, task.shape, PATCH_SIZE)
    grown = grow_batch(task.shape, [each.rule for each in rules], seed, task.rollout)
    return [squared_error(target, patch[:, :rows, :columns].transpose(1, 2, 0)) for patch in grown]


def is_good_enough(task: FitTask, patch: int, candidates: Sequence[Candidate], settings: EncodeSettings) -> bool:
    """Whether no larger preset needs to be tried for a patch of the task."""
    if settings.target_psnr is None:
        return False
    rows, columns = task.targets.extents[patch]
    limit = 255**2 * 10 ** (-settings.target_psnr / 10) * task.shape.visible * int(rows) * int(columns)
    return min(candidate.error for candidate in candidates) <= ENOUGH * limit


def assemble(picture: Picture, settings: EncodeSettings, patches: Sequence[Sequence[Candidate]]) -> Encoded:
    """The bundle of the best choice of every patch's candidates, and the quality of what the decoder makes of it.

    Raises BudgetTooSmall where no choice is as small as was asked for.
    """
    choice, met, next_bytes = [0] * len(patches), None, None
    if settings.target_psnr is not None:
        values = picture.pixels.size
        choice, met = allocate(patches, max_error=values * 255**2 * 10 ** (-settings.target_psnr / 10))
    elif settings.max_bytes is not None:
        # A bundle lists each preset that it uses: two bytes for each that may be.
        overhead = bundle_size([0] * len(patches), min(len(patches), MAX_PRESETS), rollout_of(settings))
        limit = settings.max_bytes
        choice, met = allocate(patches, max_bytes=limit - overhead)
        least = _size(settings, patches, choice)
        if least > limit:
            raise BudgetTooSmall(f"{limit} bytes are too few for this picture: the smallest bundle takes {least}")
        met, next_bytes = True, _next_size(settings, patches, choice, limit)
    bundle = _bundle(picture, settings, patches, choice)
    shapes = [candidates[number].shape for candidates, number in zip(patches, choice, strict=True)]
    return Encoded(bundle, measure(picture.pixels, decode(bundle).picture.pixels), _counts(shapes), met, next_bytes)


def _bundle(
    picture: Picture, settings: EncodeSettings, patches: Sequence[Sequence[Candidate]], choice: Sequence[int]
) -> bytes:
    chosen = [candidates[number] for candidates, number in zip(patches, choice, strict=True)]
    shapes = sorted({candidate.shape for candidate in chosen}, key=lambda shape: (shape.parameters, shape.channels))
    header = BundleHeader(
        height=picture.height,
        width=picture.width,
        patch_size=PATCH_SIZE,
        seed=settings.seed,
        rollout=rollout_of(settings),
        coder=settings.coder,
        presets=tuple(shapes),
    )
    return write_bundle(header, [with_preset(each.payload, shapes.index(each.shape)) for each in chosen])


def _size(settings: EncodeSettings, patches: Sequence[Sequence[Candidate]], choice: Sequence[int]) -> int:
    """Of the bundle in bytes."""
    chosen = [candidates[number] for candidates, number in zip(patches, choice, strict=True)]
    presets = len({candidate.shape for candidate in chosen})
    return bundle_size([len(each.payload) for each in chosen], presets, rollout_of(settings))


def _next_size(
    settings: EncodeSettings, patches: Sequence[Sequence[Candidate]], choice: Sequence[int], limit: int
) -> int | None:
    """Of the smallest bundle over the limit in which one patch is better, in bytes."""
    size, chosen = (
        _size(settings, patches, choice),
        [some[number] for some, number in zip(patches, choice, strict=True)],
    )
    shapes, rollout = {each.shape for each in chosen}, rollout_of(settings)
    listing = bundle_size([], 1, rollout) - bundle_size([], 0, rollout)
    sizes = [
        size + len(other.payload) - len(each.payload) + (0 if other.shape in shapes else listing)
        for some, each in zip(patches, chosen, strict=True)
        for other in some
        if other.error < each.error
    ]
    return min((bytes_ for bytes_ in sizes if bytes_ > limit), default=None)


def _counts(shapes: Sequence[RuleShape]) -> dict[str, int]:
    names = {preset.shape(shapes[0].visible): str(preset) for preset in Preset}
    counts = {name: sum(shape == other for other in shapes) for shape, name in names.items()}
    return {name: count for name, count in counts.items() if count}
