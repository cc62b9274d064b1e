"""Training: the rules of many patches side by side, unrounded.

Each rule has its own start, noise, loss, best weights and end, so a patch's bytes do not depend on the batch it is in.
A rule that is done leaves the batch, so that the rest run faster.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from regrow.core.codec.fit.checkpoint import damage_as_error
from regrow.core.codec.fit.engines.base import Array, Engine, Targets
from regrow.core.codec.fit.noise import rule_keys
from regrow.core.codec.fit.phase import Phase, PhaseResult, Tell, run_phase
from regrow.core.codec.fit.stages import Stage, Stages
from regrow.core.codec.fit.task import FitHooks, FitProgress, FitTask, nobody
from regrow.core.codec.fit.trainers import Training
from regrow.core.codec.rule import initial_weights


@dataclass(frozen=True, slots=True)
class Trained:
    """weights: float32 (G, parameters), to be rounded. mse: float32 (G,), their loss, with noise where noise was used.

    float_weights, float_mse: the same before weight noise, the best that the rule can do unrounded. iterations: int64
    (G,), of both phases.
    """

    weights: Array
    mse: Array
    float_weights: Array
    float_mse: Array
    iterations: npt.NDArray[np.int64]


def train(engine: Engine, task: FitTask, stages: Stages | None = None) -> Trained:
    """Train one rule per target. A rule that diverges is started once more, gentler, and then kept at its best.

    Raises FitStopped when the stages' hooks ask for it.
    """
    fitter = _Trainings(engine, task, stages or Stages(engine, task))
    schedule = task.schedule
    plain = fitter.phase(initial_weights(task.shape, _generators(task, 0)), schedule.iterations, 0)
    if not schedule.noisy_iterations:
        return Trained(plain.weights, plain.mse, plain.weights, plain.mse, plain.iterations)
    noisy = fitter.phase(plain.weights, schedule.noisy_iterations, schedule.iterations)
    return Trained(noisy.weights, noisy.mse, plain.weights, plain.mse, plain.iterations + noisy.iterations)


def _generators(task: FitTask, attempt: int) -> list[np.random.Generator]:
    return [np.random.default_rng((*identity, attempt)) for identity in task.identities]


class _Trainings:
    """Runs the phases of one task."""

    def __init__(self, engine: Engine, task: FitTask, stages: Stages) -> None:
        self._engine, self._task, self._stages = engine, task, stages
        self._hooks = stages.hooks

    def phase(self, start: Array, iterations: int, before: int) -> PhaseResult:
        """One phase from `start`, after `before` iterations, with weight noise unless it is the first."""
        task, schedule = self._task, self._task.schedule
        phase = Phase(
            iterations=iterations,
            learning_rate=schedule.learning_rate,
            decays=schedule.decays,
            noisy=before > 0,
        )

        def tell(share: npt.NDArray[np.float64]) -> None:
            done = (before + share * iterations) / schedule.work(task.shape, len(task.coarseness))
            self._hooks.on_progress(FitProgress(done, "training"))

        training = Training(
            task.shape, task.state, task.targets, task.rollout, schedule.optimizer, start, rule_keys(task.identities)
        )
        name = "noisy" if phase.noisy else "plain"
        result = self._run(self._stages.stage(name), training, phase, self._hooks, tell)
        failed = np.flatnonzero(result.diverged)
        if len(failed):
            self._again(self._stages.stage(f"{name} again", failed), training, phase, result, failed)
        return result

    def _run(
        self, stage: Stage, training: Training, phase: Phase, hooks: FitHooks, tell: Tell | None = None
    ) -> PhaseResult:
        """Run a phase, unless an earlier fit has."""
        made = stage.made
        if made is not None:
            with damage_as_error():
                return PhaseResult(**made)
        result = run_phase(self._engine, training, phase, hooks, stage, tell)
        stage.finish(result.arrays())
        return result

    def _again(
        self, stage: Stage, training: Training, phase: Phase, result: PhaseResult, failed: npt.NDArray[np.intp]
    ) -> None:
        """Start the rules that diverged once more, and put what is better into the result."""
        start = training.weights
        if not phase.noisy:
            start = initial_weights(training.shape, _generators(self._task, 1))
        targets = Targets(training.targets.pixels[failed], training.targets.extents[failed])
        some = replace(training, targets=targets, weights=start[failed], keys=training.keys[failed])
        gentler = replace(phase, learning_rate=phase.learning_rate / 2)
        hooks = replace(self._hooks, leaving=nobody)
        again = self._run(stage, some, gentler, hooks)
        better = again.mse < result.mse[failed]
        result.weights[failed[better]] = again.weights[better]
        result.mse[failed[better]] = again.mse[better]
        result.iterations[failed] += again.iterations
