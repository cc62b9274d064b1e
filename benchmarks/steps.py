"""`regrow bench steps`: how many steps a rollout needs, per kind of seed."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from regrow.benchmarks.machine import machine
from regrow.benchmarks.pictures import targets_of
from regrow.core.codec.fit.engines import make_engine
from regrow.core.codec.fit.task import FitTask
from regrow.core.codec.fit.training import train
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Preset, Schedule
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.seeds import SeedKind

TRIED = {SeedKind.SCAFFOLD: (6, 8, 12, 16, 24), SeedKind.PIXEL: (24, 32, 40, 56)}
STEP_ITERATIONS = {SeedKind.SCAFFOLD: 9600, SeedKind.PIXEL: 40_000}
"""Steps times iterations: every row gets the same amount of work."""


def bench_steps(pictures: list[Picture]) -> dict[str, Any]:
    """Mean PSNR before rounding of small rules, at the same work for every number of steps."""
    rows = [_row(pictures, seed, steps) for seed in SeedKind for steps in TRIED[seed]]
    return {"machine": machine(), "engine": make_engine().name, "pictures": len(pictures), "rows": rows}


def _row(pictures: list[Picture], seed: SeedKind, steps: int) -> dict[str, Any]:
    shape, targets = Preset.SMALL.shape(), targets_of(pictures)
    iterations = STEP_ITERATIONS[seed] // steps
    identities = tuple((0, number) for number in range(len(pictures)))
    task = FitTask(shape, seed, targets, Rollout(steps), Schedule(iterations), identities)
    start = time.perf_counter()
    trained = train(make_engine(), task)
    return {
        "seed": str(seed),
        "steps": steps,
        "iterations": iterations,
        "mean_psnr": float(np.mean(-10 * np.log10(trained.mse))),
        "seconds_per_patch": (time.perf_counter() - start) / len(pictures),
    }
