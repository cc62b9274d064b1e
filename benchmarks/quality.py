"""`regrow bench quality`: PSNR of every preset, unrounded and of the stored file, against the paper's table."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from regrow.benchmarks.machine import machine
from regrow.benchmarks.pictures import SIDE, targets_of
from regrow.core.codec.coder import Coder
from regrow.core.codec.fit.engines import make_engine
from regrow.core.codec.fit.partly_rounded import RoundedRule
from regrow.core.codec.fit.rounding import round_rules
from regrow.core.codec.fit.stages import Stages
from regrow.core.codec.fit.task import FitTask
from regrow.core.codec.fit.training import train
from regrow.core.codec.format.bundle import BundleHeader, write_bundle
from regrow.core.codec.format.payload import write_payload
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import SCHEDULES, Effort, Preset
from regrow.core.codec.quality import psnr_from_mse
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.seeds import STEPS, SeedKind

PRESETS = tuple(Preset)

PAPER_PSNR = {Preset.SMALL: 28.06, Preset.MEDIUM: 32.58, Preset.LARGE: 34.66}
"""The paper's Table II at 40×40."""

_OVERHEAD = 28
"""Bytes of a file of one patch beside the patch's own: header, patch table, checksum (docs/FORMAT.md)."""


def bench_quality(pictures: list[Picture], seed: SeedKind, effort: Effort, *, rounded: bool = True) -> dict[str, Any]:
    """One patch per picture, all presets. rounded: train with weight noise too, and round and store."""
    schedule = SCHEDULES[effort]
    return {
        "machine": machine(),
        "engine": make_engine().name,
        "pictures": len(pictures),
        "seed": str(seed),
        "effort": str(effort),
        "steps": schedule.steps or STEPS[seed],
        "iterations": schedule.iterations,
        "noisy_iterations": schedule.noisy_iterations if rounded else 0,
        "presets": [_row(pictures, preset, seed, effort, rounded=rounded) for preset in PRESETS],
    }


def _row(pictures: list[Picture], preset: Preset, seed: SeedKind, effort: Effort, *, rounded: bool) -> dict[str, Any]:
    shape, targets, engine = preset.shape(), targets_of(pictures), make_engine()
    schedule = SCHEDULES[effort] if rounded else replace(SCHEDULES[effort], noisy_iterations=0)
    rollout = Rollout(schedule.steps or STEPS[seed])
    identities = tuple((0, number) for number in range(len(pictures)))
    task = FitTask(shape, seed, targets, rollout, schedule, identities)
    start = time.perf_counter()
    trained = train(engine, task)
    row: dict[str, Any] = {
        "preset": str(preset),
        "float_psnr": float(np.mean(-10 * np.log10(trained.float_mse))),
        "paper_psnr": PAPER_PSNR.get(preset),
        "training_seconds_per_patch": (time.perf_counter() - start) / len(pictures),
    }
    if not rounded:
        return row
    start = time.perf_counter()
    rules = round_rules(engine, task, trained.weights, Stages(engine, task))
    seconds = (time.perf_counter() - start) / len(pictures)
    rule_errors = np.array([rounded_rule.error for (rounded_rule,) in rules]) / targets.pixels[0].size
    sizes = [
        len(_stored(picture, shape, seed, rollout, rule)) for picture, (rule,) in zip(pictures, rules, strict=True)
    ]
    return row | {
        "stored_psnr": float(np.mean([psnr_from_mse(float(mse)) for mse in rule_errors])),
        "stored_bytes": float(np.mean(sizes)),
        "bits_per_weight": 8 * float(np.mean(sizes) - _OVERHEAD) / shape.parameters,
        "rounding_seconds_per_patch": seconds,
    }


def _stored(picture: Picture, shape: RuleShape, seed: SeedKind, rollout: Rollout, rounded: RoundedRule) -> bytes:
    """The whole file of a picture of one patch."""
    header = BundleHeader(picture.height, picture.width, SIDE, seed, rollout, Coder.ANS, (shape,))
    return write_bundle(header, [write_payload(shape, rounded.rule, Coder.ANS, 0)])
