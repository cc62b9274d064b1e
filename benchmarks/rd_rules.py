"""Regrow's own curves: every preset at several quantisation levels, and the best of all of them at each price."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regrow.benchmarks.rd_curve import Curve, CurvePoint, StoredPicture
from regrow.core.codec.encode.assemble import assemble
from regrow.core.codec.encode.candidate import Candidate
from regrow.core.codec.encode.patch_fits import candidates_of
from regrow.core.codec.encode.plan import grid_of, rollout_of
from regrow.core.codec.fit.engines import make_engine
from regrow.core.codec.fit.engines.base import Engine, Targets
from regrow.core.codec.fit.fitting import Fitted
from regrow.core.codec.fit.rounding import round_rules
from regrow.core.codec.fit.stages import Stages
from regrow.core.codec.fit.task import FitTask
from regrow.core.codec.fit.training import train
from regrow.core.codec.images import Picture
from regrow.core.codec.patches import cut
from regrow.core.codec.presets import SCHEDULES, Preset
from regrow.core.codec.quality import psnr_from_mse
from regrow.core.codec.settings import EncodeSettings

USUAL = 1.0
LEVELS = (0.6, USUAL, 1.7)
"""How coarse rules are rounded, as factors of the usual steps."""

PRICES = tuple(np.geomspace(1.0, 1e6, 61).tolist())
"""Squared 8-bit levels a byte."""

PATCHES_AT_ONCE = 64
"""Fitted side by side, as by `regrow encode`."""


@dataclass(frozen=True, slots=True)
class PresetFit:
    """One preset fitted to all pictures.

    candidates: [picture][patch][level]. float_psnr: dB, float64 (pictures,), of training, before noise and rounding.
    train_seconds, round_seconds: per patch; the latter per level too.
    """

    preset: Preset
    candidates: list[list[list[Candidate]]]
    float_psnr: npt.NDArray[np.float64]
    train_seconds: float
    round_seconds: float

    def of_level(self, number: int) -> list[list[Candidate]]:
        """The candidates [picture][patch] of one level."""
        return [[levels[number] for levels in patches] for patches in self.candidates]


def levels_of(settings: EncodeSettings) -> tuple[float, ...]:
    """Efforts that round to nearest know one level only."""
    return LEVELS if SCHEDULES[settings.effort].groups else (USUAL,)


def fit_preset(pictures: Sequence[Picture], settings: EncodeSettings, preset: Preset) -> PresetFit:
    """All patches of all pictures, side by side. Random numbers are those of `regrow encode` for each picture alone."""
    places = [(number, patch) for number, picture in enumerate(pictures) for patch in range(grid_of(picture).count)]
    engine, train_seconds, round_seconds = make_engine(), 0.0, 0.0
    candidates: list[list[list[Candidate]]] = [[] for _ in pictures]
    errors, counts = np.zeros(len(pictures)), np.zeros(len(pictures))
    for start in range(0, len(places), PATCHES_AT_ONCE):
        some = places[start : start + PATCHES_AT_ONCE]
        task = _task(pictures, some, settings, preset)
        fitted, trained, rounded = _timed_fit(engine, task)
        train_seconds += trained
        round_seconds += rounded
        found, cells = candidates_of(task, fitted, settings), task.targets.extents.prod(axis=1)
        for (number, _), levels, mse, count in zip(some, found, fitted.float_mse, cells, strict=True):
            candidates[number].append(levels)
            errors[number] += float(mse) * int(count)
            counts[number] += int(count)
    psnrs = np.array([psnr_from_mse(mse * 255**2) for mse in errors / counts])
    levels = len(levels_of(settings))
    return PresetFit(preset, candidates, psnrs, train_seconds / len(places), round_seconds / (len(places) * levels))


def _task(
    pictures: Sequence[Picture], places: Sequence[tuple[int, int]], settings: EncodeSettings, preset: Preset
) -> FitTask:
    """One fit of these (picture, patch)."""
    grids = [grid_of(picture) for picture in pictures]
    pixels = [cut(pictures[number], grids[number], [patch]) for number, patch in places]
    extents = [grids[number].extent(patch) for number, patch in places]
    return FitTask(
        shape=preset.shape(pictures[0].channels),
        seed=settings.seed,
        targets=Targets(np.concatenate(pixels), np.array(extents, dtype=np.int32)),
        rollout=rollout_of(settings),
        schedule=SCHEDULES[settings.effort],
        identities=tuple((settings.seed_number, patch) for _, patch in places),
        coarseness=levels_of(settings),
    )


def _timed_fit(engine: Engine, task: FitTask) -> tuple[Fitted, float, float]:
    """core.codec.fit.fitting.fit, and the seconds that its two halves take."""
    stages, start = Stages(engine, task), time.perf_counter()
    trained = train(engine, task, stages)
    between = time.perf_counter()
    rules = round_rules(engine, task, trained.weights, stages)
    fitted = Fitted(rules, trained.float_mse, trained.iterations)
    return fitted, between - start, time.perf_counter() - between


def preset_curve(pictures: Sequence[Picture], settings: EncodeSettings, fit: PresetFit) -> Curve:
    """One preset; its points are the levels."""
    points = []
    for number, level in enumerate(levels_of(settings)):
        files = zip(pictures, fit.of_level(number), strict=True)
        points.append(CurvePoint(f"{level:g}", tuple(_stored(picture, settings, chosen) for picture, chosen in files)))
    return Curve(str(fit.preset), tuple(points))


def hull_curve(
    name: str,
    pictures: Sequence[Picture],
    settings: EncodeSettings,
    fits: Sequence[PresetFit],
    prices: Sequence[float] = PRICES,
) -> Curve:
    """Every patch of every picture with the preset and level of least error + price · bytes; a point per price."""
    points: list[CurvePoint] = []
    before: list[list[int]] | None = None
    every = [
        [[each for fit in fits for each in fit.candidates[number][patch]] for patch in range(grid_of(picture).count)]
        for number, picture in enumerate(pictures)
    ]
    for price in prices:
        choice = [[cheapest(candidates, price) for candidates in patches] for patches in every]
        if choice == before:
            continue
        before = choice
        files = []
        for picture, patches, numbers in zip(pictures, every, choice, strict=True):
            chosen = [candidates[number] for candidates, number in zip(patches, numbers, strict=True)]
            files.append(_stored(picture, settings, chosen))
        points.append(CurvePoint(f"{price:.3g} a byte", tuple(files)))
    return Curve(name, tuple(points))


def cheapest(candidates: Sequence[Candidate], price: float) -> int:
    """The number of the candidate of least error + price · bytes: a corner of the lower convex hull of them all."""
    return min(range(len(candidates)), key=lambda i: candidates[i].error + price * len(candidates[i].payload))


def _stored(picture: Picture, settings: EncodeSettings, chosen: Sequence[Candidate]) -> StoredPicture:
    """The whole file of one candidate per patch, as the decoder that ships regrows it."""
    encoded = assemble(picture, settings, [[candidate] for candidate in chosen])
    return StoredPicture(len(encoded.bundle), encoded.quality)
