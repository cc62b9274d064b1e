"""`regrow bench engine`: how fast rules are fitted, against the paper's loop and against the machine's own peak."""

from __future__ import annotations

import os
import time
from typing import Any

import numba
import numpy as np
import torch

from regrow.benchmarks.machine import best_seconds, machine, sgemm_gflops
from regrow.benchmarks.paper_loop import BATCH, ITERATIONS, STEPS, PaperLoop
from regrow.benchmarks.pictures import SIDE, targets_of
from regrow.core.codec.fit.engines import make_engine
from regrow.core.codec.fit.engines.base import Engine, Targets
from regrow.core.codec.fit.engines.torch.engine import TorchEngine
from regrow.core.codec.fit.fitting import fit
from regrow.core.codec.fit.task import FitTask
from regrow.core.codec.fit.trainers import Training, make_trainer
from regrow.core.codec.fit.training import train
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Preset, Schedule
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.seeds import STEPS as SEED_STEPS
from regrow.core.codec.seeds import SeedKind

PAPER_PSNR = 28.06
"""GNCA-small at 40×40, the paper's Table II."""

LADDERS = {
    SeedKind.SCAFFOLD: (100, 150, 200, 300, 450, 700, 1000, 1500, 2500),
    SeedKind.PIXEL: (1000, 1400, 2000, 2800, 4000),
}
"""Numbers of iterations tried, in turn, until the mean PSNR is the paper's."""

Result = dict[str, Any]


def bench_engine(pictures: list[Picture], *, goal: bool = True) -> Result:
    """All measurements; `goal` includes the time to the paper's PSNR, which takes minutes."""
    threads = os.cpu_count() or 1
    peaks = {count: sgemm_gflops(count) for count in sorted({1, threads})}
    paper_seconds = _paper_iteration(Preset.SMALL.shape(), threads)
    return {
        "machine": machine(),
        "sgemm_gflops": peaks,
        "paper_loop": {
            "preset": "small",
            "batch": BATCH,
            "steps": STEPS,
            "seconds_per_iteration": paper_seconds,
            "extrapolated_hours_per_patch": paper_seconds * ITERATIONS / 3600,
        },
        "iterations": [
            _iteration_row(preset, steps, threads, peaks)
            for preset in (Preset.SMALL, Preset.MEDIUM, Preset.LARGE)
            for steps in (12, 40)
        ],
        "patches": [_patches_row(count) for count in (1, 2, 4, 8, 16, 32, 64)],
        "time_to_paper_psnr": [
            row for seed in SeedKind for row in _time_to_goal(pictures, seed, paper_seconds * ITERATIONS)
        ]
        if goal
        else [],
        "gpu": _gpu_rows() if torch.cuda.is_available() else [],
    }


def gradient_flops(shape: RuleShape, cells: int, steps: int) -> float:
    """Operations of the matrix products that a loss and its gradient need: forward, by weights and by inputs."""
    return 3 * 2 * cells * 4 * shape.channels * shape.hidden * steps


def _problem(shape: RuleShape, count: int) -> tuple[np.ndarray, np.ndarray, Targets]:
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.1, (count, shape.parameters)).astype(np.float32)
    seeds = rng.normal(0, 0.1, (1, shape.channels, SIDE, SIDE)).astype(np.float32)
    pixels = rng.random((count, 3, SIDE, SIDE), dtype=np.float32)
    return weights, seeds, Targets(pixels, np.full((count, 2), SIDE, dtype=np.int32))


def _gradient_seconds(engine: Engine, shape: RuleShape, steps: int, count: int, trials: int = 5) -> float:
    weights, seeds, targets = _problem(shape, count)

    def work() -> None:
        engine.loss_and_gradients(shape, weights, seeds, targets, Rollout(steps))

    work()
    return best_seconds(work, trials, at_least=0.5) / count


def _iteration_row(preset: Preset, steps: int, threads: int, peaks: dict[int, float]) -> Result:
    """Seconds per patch-iteration of every engine at one size, on all threads unless said."""
    shape, flops = preset.shape(), gradient_flops(preset.shape(), SIDE**2, steps)
    numba.set_num_threads(1)
    alone = _gradient_seconds(make_engine("numba"), shape, steps, 8)
    numba.set_num_threads(threads)
    torch.set_num_threads(threads)
    together = _gradient_seconds(make_engine("numba"), shape, steps, 8)
    reference = _gradient_seconds(TorchEngine(), shape, steps, 8, trials=2)
    port = _paper_iteration(shape, threads, batch=1, steps=steps)
    return {
        "preset": str(preset),
        "steps": steps,
        "numba_ms": 1000 * together,
        "numba_one_thread_ms": 1000 * alone,
        "torch_reference_ms": 1000 * reference,
        "torch_autograd_port_ms": 1000 * port,
        "numba_against_port": port / together,
        "numba_against_reference": reference / together,
        "thread_scaling": alone / together,
        "gflops": flops / together / 1e9,
        "share_of_sgemm_peak": flops / together / 1e9 / peaks[threads],
        "share_of_sgemm_peak_one_thread": flops / alone / 1e9 / peaks[1],
    }


def _paper_iteration(shape: RuleShape, threads: int, batch: int = BATCH, steps: int = STEPS) -> float:
    torch.set_num_threads(threads)
    loop = PaperLoop(shape, torch.rand(1, 3, SIDE, SIDE), batch, steps)
    loop.iterate()
    return best_seconds(loop.iterate, 2 if steps > 100 else 8)


def _patches_row(count: int) -> Result:
    """Seconds of one whole training iteration, optimizer and noise included, of `count` small patches."""
    shape = Preset.SMALL.shape()
    weights, seeds, targets = _problem(shape, count)
    rollout, optimizer = Rollout(SEED_STEPS[SeedKind.SCAFFOLD]), Schedule(1).optimizer
    keys = np.arange(count, dtype=np.int64)
    training = Training(shape, seeds[0], targets, rollout, optimizer, weights, keys)
    trainer = make_trainer(make_engine("numba"), training)
    trainer.iterate(0, 1e-4, noisy=True)
    seconds = best_seconds(lambda: trainer.iterate(1, 1e-4, noisy=True), 10, at_least=0.5)
    return {"patches": count, "milliseconds": 1000 * seconds, "milliseconds_per_patch": 1000 * seconds / count}


def _time_to_goal(pictures: list[Picture], seed: SeedKind, paper_total: float) -> list[Result]:
    """The shortest schedule of the ladder whose mean PSNR is the paper's: unrounded, and with one byte a weight.

    The latter for the scaffold only: with the pixel seed every rung takes minutes.
    """
    rows: list[Result] = []
    for stored in (False, True) if seed is SeedKind.SCAFFOLD else (False,):
        for iterations in LADDERS[seed]:
            schedule = Schedule(iterations // 2, iterations // 2) if stored else Schedule(iterations)
            seconds, psnr = _fit_all(pictures, seed, schedule, stored=stored)
            if psnr >= PAPER_PSNR:
                break
        rows.append(
            {
                "seed": str(seed),
                "weights": "one byte each" if stored else "unrounded",
                "iterations": iterations,
                "mean_psnr": psnr,
                "reached": psnr >= PAPER_PSNR,
                "seconds_per_patch": seconds,
                "times_faster_than_paper_extrapolated": paper_total / seconds,
            }
        )
    return rows


def _fit_all(pictures: list[Picture], seed: SeedKind, schedule: Schedule, *, stored: bool) -> tuple[float, float]:
    """Seconds per patch, and the mean PSNR of the patches; stored: with rounding to one byte a weight."""
    # The CPU engine, wherever this runs: the paper's loop that it is compared with runs on the CPU too.
    shape, targets, engine = Preset.SMALL.shape(), targets_of(pictures), make_engine("numba")
    rollout = Rollout(SEED_STEPS[seed])
    identities = tuple((0, number) for number in range(len(pictures)))
    task = FitTask(shape, seed, targets, rollout, schedule, identities, one_byte=True)
    start = time.perf_counter()
    if stored:
        errors = [rules[0].error for rules in fit(engine, task).rules]
        losses = np.array(errors) / (255**2 * targets.pixels[0].size)
    else:
        losses = train(engine, task).float_mse
    seconds = (time.perf_counter() - start) / len(pictures)
    return seconds, float(np.mean(-10 * np.log10(losses)))


def _gpu_rows() -> list[Result]:
    """Patch-iterations a second on the GPU: the CUDA engine against eager PyTorch on the same device."""
    rows = []
    for preset in (Preset.SMALL, Preset.MEDIUM, Preset.LARGE):
        shape = preset.shape()
        ours = _gradient_seconds(make_engine("cuda"), shape, 12, 2048)
        eager = _gradient_seconds(TorchEngine("cuda"), shape, 12, 256)
        rows.append(
            {
                "preset": str(preset),
                "patch_iterations_per_second": 1 / ours,
                "eager_torch_per_second": 1 / eager,
                "times_faster": eager / ours,
            }
        )
    return rows
