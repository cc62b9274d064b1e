"""Fitting some of a picture's patches: what is to be fitted, and what may come of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from regrow.core.codec.coder import Coder
from regrow.core.codec.decode.growers.compiled import grow_batch
from regrow.core.codec.encode.candidate import Candidate
from regrow.core.codec.encode.plan import coarseness_of, grid_of, rollout_of
from regrow.core.codec.fit.engines.base import Targets
from regrow.core.codec.fit.fitting import Fitted
from regrow.core.codec.fit.partly_rounded import RoundedRule
from regrow.core.codec.fit.task import FitTask
from regrow.core.codec.format.fixed_point import integer_seed
from regrow.core.codec.format.payload import write_payload
from regrow.core.codec.images import Picture
from regrow.core.codec.patches import cut, to_bytes
from regrow.core.codec.presets import PATCH_SIZE, SCHEDULES, Preset
from regrow.core.codec.quality import squared_error
from regrow.core.codec.settings import EncodeSettings

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
        coarseness=coarseness_of(settings),
        one_byte=settings.coder is Coder.BYTES or SCHEDULES[settings.effort].groups == 0,
    )


def candidates_of(task: FitTask, fitted: Fitted, settings: EncodeSettings) -> list[list[Candidate]]:
    """For each patch of a task, its rounded rules as candidates for the bundle."""
    return [
        [
            Candidate(task.shape, write_payload(task.shape, each.rule, settings.coder, 0), error)
            for each, error in zip(rules, _errors(task, number, rules), strict=True)
        ]
        for number, rules in enumerate(fitted.rules)
    ]


def _errors(task: FitTask, number: int, rules: Sequence[RoundedRule]) -> list[int]:
    """The squared error of each of a patch's rules, in 8-bit levels, of what is seen.

    A fit weighs every value alike, so with alpha, where less is seen, the sum is made anew.
    """
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
