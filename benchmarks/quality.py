"""`regrow bench quality`: PSNR of every preset, unrounded and of one-byte weights, against the paper's table."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.machine import machine
from benchmarks.pictures import SIDE, targets_of
from core.codec.engines import make_engine
from core.codec.engines.base import Array, Rollout
from core.codec.fit import FitTask, fit
from core.codec.images import Picture
from core.codec.presets import SCHEDULES, Effort, Preset, Schedule
from core.codec.quantization import dequantize, quantize
from core.codec.seeds import STEPS, SeedKind, make_seed

PAPER_PSNR = {Preset.SMALL: 28.06, Preset.MEDIUM: 32.58, Preset.LARGE: 34.66}
"""The paper's Table II at 40×40."""


def bench_quality(pictures: list[Picture], seed: SeedKind, effort: Effort, *, rounded: bool = True) -> dict[str, Any]:
    """One patch per picture, all presets. rounded: train with weight noise too, and round."""
    schedule = SCHEDULES[effort] if rounded else replace(SCHEDULES[effort], noisy_iterations=0)
    return {
        "machine": machine(),
        "engine": make_engine().name,
        "pictures": len(pictures),
        "seed": str(seed),
        "effort": str(effort),
        "steps": schedule.steps or STEPS[seed],
        "iterations": schedule.iterations,
        "noisy_iterations": schedule.noisy_iterations,
        "presets": [_row(pictures, preset, seed, schedule) for preset in Preset],
    }


def _row(pictures: list[Picture], preset: Preset, seed: SeedKind, schedule: Schedule) -> dict[str, Any]:
    shape, targets, engine = preset.shape(), targets_of(pictures), make_engine()
    start_state = make_seed(seed, shape, SIDE)
    rollout = Rollout(schedule.steps or STEPS[seed])
    identities = tuple((0, number) for number in range(len(pictures)))
    start = time.perf_counter()
    fitted = fit(engine, FitTask(shape, start_state, targets, rollout, schedule, identities))
    seconds = time.perf_counter() - start

    def mean_psnr(weights: Array) -> float:
        losses = engine.loss_and_gradients(shape, weights, start_state[None], targets, rollout).losses
        return float(np.mean(-10 * np.log10(losses)))

    row: dict[str, Any] = {"preset": str(preset), "float_psnr": mean_psnr(fitted.float_weights)}
    if schedule.noisy_iterations:  # without noise, nearest rounding would be told for something nobody stores
        row["one_byte_psnr"] = mean_psnr(dequantize(quantize(fitted.weights, shape), shape))
    return row | {"paper_psnr": PAPER_PSNR[preset], "seconds_per_patch": seconds / len(pictures)}
