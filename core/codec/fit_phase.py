"""One phase of a fit: from starting weights, along one learning-rate schedule, until every rule is done."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from core.codec.engines.base import Array, Engine
from core.codec.trainers import Trainer, Training, make_trainer
from core.errors import FitStopped

WARM_UP_ITERATIONS = 10
LOOK_EVERY = 5
"""Iterations between two looks at the clock, at whoever may stop the fit, and at which rules are done."""

GOOD_ENOUGH_PSNR = 55.0
"""dB at which a rule is done whatever the target: rounding to 8 bits alone gives 58.9 dB."""

PATIENCE = 0.25
"""Share of the phase's iterations without any gain after which a rule has reached its plateau and is done."""

GAIN = 0.998
"""A loss below this share of the last one that counted is a gain: 0.01 dB."""

DIVERGED = 4.0
"""A loss this many times the rule's first one, or one that is not finite, has diverged."""


class Hooks(Protocol):
    """What a phase asks for (core.codec.fit_task.FitHooks)."""

    @property
    def should_stop(self) -> Callable[[], bool]: ...

    @property
    def leaving(self) -> Callable[[], Collection[int]]: ...

    @property
    def deadline(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Phase:
    """learning_rate: its peak. decays: along a cosine to zero. noisy: with weight noise. target_mse: good enough."""

    iterations: int
    learning_rate: float
    decays: bool
    noisy: bool
    target_mse: float

    def rate(self, iteration: int) -> float:
        """Linear warm-up over the first ten iterations, then a cosine from the peak to zero; or constant."""
        if not self.decays:
            return self.learning_rate
        warm_up = min(1.0, (iteration + 1) / WARM_UP_ITERATIONS)
        return self.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * iteration / self.iterations))


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """Per rule: the best weights, their loss, iterations run, and whether it diverged."""

    weights: Array
    mse: Array
    iterations: npt.NDArray[np.int64]
    diverged: npt.NDArray[np.bool_]


def run_phase(
    engine: Engine,
    training: Training,
    phase: Phase,
    hooks: Hooks,
    tell: Callable[[npt.NDArray[np.float64], Array], None] | None = None,
) -> PhaseResult:
    """Train until every rule is done. `tell` gets each rule's share of the iterations, and its lowest loss.

    Raises FitStopped when the hooks ask for it.
    """
    run = _Run(engine, training, phase, hooks)
    for iteration in range(phase.iterations):
        if run.goes_on and iteration % LOOK_EVERY == 0:
            run.look(iteration)
            if tell is not None:
                tell(run.shares(iteration), run.result.mse)
        if not run.goes_on:
            break
        run.step(iteration)
    run.drop_all(phase.iterations)
    if tell is not None:
        tell(run.shares(phase.iterations), run.result.mse)
    return run.result


class _Run:
    """`_active` are the numbers of the rules still in the batch, in the trainer's order."""

    def __init__(self, engine: Engine, training: Training, phase: Phase, hooks: Hooks) -> None:
        count = len(training.weights)
        self._phase, self._hooks = phase, hooks
        self._trainer: Trainer = make_trainer(engine, training)
        self._active = np.arange(count)
        self._first_losses = np.zeros(count, dtype=np.float32)
        self._gained_losses = np.full(count, np.inf)
        self._gained_at = np.zeros(count, dtype=np.int64)
        self.result = PhaseResult(
            weights=training.weights.copy(),
            mse=np.full(count, np.inf, dtype=np.float32),
            iterations=np.zeros(count, dtype=np.int64),
            diverged=np.zeros(count, dtype=np.bool_),
        )

    @property
    def goes_on(self) -> bool:
        return len(self._active) > 0

    def shares(self, iteration: int) -> npt.NDArray[np.float64]:
        """Of each rule's iterations; those that have left have all of theirs."""
        shares = np.ones(len(self.result.mse))
        shares[self._active] = iteration / self._phase.iterations
        return shares

    def step(self, iteration: int) -> None:
        losses = self._trainer.step(iteration, self._phase.rate(iteration), noisy=self._phase.noisy)
        if iteration == 0:
            self._first_losses[self._active] = losses
        sound = losses < DIVERGED * self._first_losses[self._active] + 1e-3  # false for not-a-number
        if not sound.all():
            self.result.diverged[self._active[~sound]] = True
            self._drop(~sound, iteration + 1)

    def look(self, iteration: int) -> None:
        """Let go of the rules that are done. Raises FitStopped."""
        if self._hooks.should_stop():
            raise FitStopped("the fit was asked to stop")
        _, losses = self._trainer.best()
        self.result.mse[self._active] = losses
        leaving = np.isin(self._active, list(self._hooks.leaving()))
        if iteration > 0 and time.monotonic() >= self._hooks.deadline:
            leaving[:] = True
        leaving |= losses <= self._phase.target_mse
        if self._phase.decays:
            leaving |= self._stuck(losses, iteration)
        self._drop(leaving, iteration)

    def drop_all(self, iterations: int) -> None:
        self._drop(np.ones(len(self._active), dtype=np.bool_), iterations)

    def _stuck(self, losses: Array, iteration: int) -> npt.NDArray[np.bool_]:
        """Which rules have not gained for longer than the patience."""
        gained = losses < GAIN * self._gained_losses[self._active]
        self._gained_losses[self._active[gained]] = losses[gained]
        self._gained_at[self._active[gained]] = iteration
        late: npt.NDArray[np.bool_] = iteration - self._gained_at[self._active] > PATIENCE * self._phase.iterations
        return late

    def _drop(self, leaving: npt.NDArray[np.bool_], iterations: int) -> None:
        """Take rules out of the batch and keep their best."""
        if not leaving.any():
            return
        gone = self._active[leaving]
        weights, losses = self._trainer.best()
        self.result.weights[gone] = weights[leaving]
        self.result.mse[gone] = losses[leaving]
        self.result.iterations[gone] = iterations
        self._active = self._active[~leaving]
        if len(self._active):
            self._trainer.keep(np.flatnonzero(~leaving))
