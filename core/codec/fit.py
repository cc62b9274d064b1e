"""Fitting: training the rules of many patches side by side.

Each rule has its own start, noise, loss, best weights and end, so a patch's bytes do not depend on the batch it is in.
A rule that is done leaves the batch, so that the rest run faster.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from core.codec.engines.base import Array, Engine, Rollout, Targets
from core.codec.fit_phase import GOOD_ENOUGH_PSNR, Phase, PhaseResult, run_phase
from core.codec.noise import rule_keys
from core.codec.presets import Schedule
from core.codec.rule import RuleShape, initial_weights
from core.codec.trainers import Training


@dataclass(frozen=True, slots=True)
class FitProgress:
    """share: of each rule's iterations, in [0, 1]; mse: each rule's lowest loss so far, brightness in [0, 1]; (G,)."""

    share: npt.NDArray[np.float64]
    mse: Array


def _never() -> bool:
    return False


def _nobody() -> Collection[int]:
    return ()


def _ignore(progress: FitProgress) -> None:
    del progress


@dataclass(frozen=True, slots=True)
class FitHooks:
    """What a fit asks and tells every few iterations.

    should_stop: true ends the fit with FitStopped. leaving: numbers of the rules that nobody waits for any more, which
    leave the batch. deadline: time.monotonic() at which the fit ends with the best weights so far. on_progress: called
    with what is done.
    """

    should_stop: Callable[[], bool] = _never
    leaving: Callable[[], Collection[int]] = _nobody
    deadline: float = math.inf
    on_progress: Callable[[FitProgress], None] = _ignore


@dataclass(frozen=True, slots=True)
class FitTask:
    """What to fit.

    seed: float32 (channels, size, size). identities: a (seed number, patch number) per target; a rule's random numbers
    follow from it alone. target_psnr: dB, of the unrounded rule, at which it is good enough.
    """

    shape: RuleShape
    seed: Array
    targets: Targets
    rollout: Rollout
    schedule: Schedule
    identities: tuple[tuple[int, int], ...]
    target_psnr: float = GOOD_ENOUGH_PSNR


@dataclass(frozen=True, slots=True)
class Fitted:
    """weights: float32 (G, parameters), to be rounded. mse: float32 (G,), their loss, with noise where noise was used.

    float_weights, float_mse: the same before weight noise, the best that the rule can do unrounded. iterations: int64
    (G,), of both phases.
    """

    weights: Array
    mse: Array
    float_weights: Array
    float_mse: Array
    iterations: npt.NDArray[np.int64]


def fit(engine: Engine, task: FitTask, hooks: FitHooks | None = None) -> Fitted:
    """Train one rule per target. A rule that diverges is started once more, gentler, and then kept at its best.

    Raises FitStopped when the hooks ask for it.
    """
    fitter = _Fitter(engine, task, hooks or FitHooks())
    schedule = task.schedule
    plain = fitter.phase(initial_weights(task.shape, _generators(task, 0)), schedule.iterations, 0)
    if not schedule.noisy_iterations:
        return Fitted(plain.weights, plain.mse, plain.weights, plain.mse, plain.iterations)
    noisy = fitter.phase(plain.weights, schedule.noisy_iterations, schedule.iterations, plain.mse)
    return Fitted(noisy.weights, noisy.mse, plain.weights, plain.mse, plain.iterations + noisy.iterations)


def _generators(task: FitTask, attempt: int) -> list[np.random.Generator]:
    return [np.random.default_rng((*identity, attempt)) for identity in task.identities]


class _Fitter:
    """Runs the phases of one task."""

    def __init__(self, engine: Engine, task: FitTask, hooks: FitHooks) -> None:
        self._engine, self._task, self._hooks = engine, task, hooks

    def phase(self, start: Array, iterations: int, before: int, told: Array | None = None) -> PhaseResult:
        """One phase from `start`, after `before` iterations, with weight noise unless it is the first.

        told: the losses to tell of in progress, where not the phase's own: what the rule can do without the noise.
        """
        task, schedule = self._task, self._task.schedule
        phase = Phase(
            iterations=iterations,
            learning_rate=schedule.learning_rate,
            decays=schedule.decays,
            noisy=before > 0,
            target_mse=10 ** (-task.target_psnr / 10),
        )

        def tell(share: npt.NDArray[np.float64], mse: Array) -> None:
            self._hooks.on_progress(
                FitProgress((before + share * iterations) / schedule.total, mse if told is None else told)
            )

        training = Training(
            task.shape, task.seed, task.targets, task.rollout, schedule.optimizer, start, rule_keys(task.identities)
        )
        result = run_phase(self._engine, training, phase, self._hooks, tell)
        failed = np.flatnonzero(result.diverged)
        if len(failed):
            self._again(training, phase, result, failed)
        return result

    def _again(self, training: Training, phase: Phase, result: PhaseResult, failed: npt.NDArray[np.intp]) -> None:
        """Start the rules that diverged once more, and put what is better into the result."""
        start = training.weights
        if not phase.noisy:
            start = initial_weights(training.shape, _generators(self._task, 1))
        targets = Targets(training.targets.pixels[failed], training.targets.extents[failed])
        some = replace(training, targets=targets, weights=start[failed], keys=training.keys[failed])
        gentler = replace(phase, learning_rate=phase.learning_rate / 2)
        hooks = replace(self._hooks, leaving=_nobody)
        again = run_phase(self._engine, some, gentler, hooks)
        better = again.mse < result.mse[failed]
        result.weights[failed[better]] = again.weights[better]
        result.mse[failed[better]] = again.mse[better]
        result.iterations[failed] += again.iterations
