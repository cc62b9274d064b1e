"""One phase of a fit: from starting weights, along one learning-rate schedule, until every rule is done."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regrow.core.codec.fit.checkpoint import (
    Arrays,
    common,
    damage_as_error,
    pick,
    require_like,
    spread,
    with_prefix,
    without_prefix,
)
from regrow.core.codec.fit.engines.base import Array, Engine
from regrow.core.codec.fit.stages import Stage
from regrow.core.codec.fit.task import FitHooks
from regrow.core.codec.fit.trainers import Trainer, Training, make_trainer

WARM_UP_ITERATIONS = 10
LOOK_EVERY = 5
"""Iterations between two looks at whoever may stop the fit, and at which rules are done."""

GOOD_ENOUGH_MSE = 10 ** (-55.0 / 10)
"""Loss, brightness in [0, 1], at which a rule is done: 55 dB. Rounding pixels to 8 bits alone gives 58.9 dB."""

PATIENCE = 0.25
"""Share of the phase's iterations without any gain after which a rule has reached its plateau and is done."""

GAIN = 0.998
"""A loss below this share of the last one that counted is a gain: 0.01 dB."""

DIVERGED = 4.0
"""A loss this many times the rule's first one, or one that is not finite, has diverged."""


Tell = Callable[[npt.NDArray[np.float64]], None]
"""Gets each rule's share of the iterations, float64 (G,)."""


@dataclass(frozen=True, slots=True)
class Phase:
    """How a phase trains.

    iterations: at most so many. learning_rate: its peak. decays: along a cosine to zero, rather than stay constant.
    noisy: with weight noise.
    """

    iterations: int
    learning_rate: float
    decays: bool
    noisy: bool

    def rate(self, iteration: int) -> float:
        """Linear warm-up over the first ten iterations, then a cosine from the peak to zero; or constant."""
        if not self.decays:
            return self.learning_rate
        warm_up = min(1.0, (iteration + 1) / WARM_UP_ITERATIONS)
        return self.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * iteration / self.iterations))


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """What a phase made of each of its G rules.

    weights: float32 (G, parameters), the best. mse: float32 (G,), their loss, brightness in [0, 1]. iterations: int64
    (G,), how many it trained. diverged: bool (G,), whether its loss was not finite once, or DIVERGED times its first.
    """

    weights: Array
    mse: Array
    iterations: npt.NDArray[np.int64]
    diverged: npt.NDArray[np.bool_]

    def arrays(self) -> Arrays:
        """For a checkpoint: each field under its name."""
        return {"weights": self.weights, "mse": self.mse, "iterations": self.iterations, "diverged": self.diverged}


def run_phase(
    engine: Engine,
    training: Training,
    phase: Phase,
    hooks: FitHooks,
    stage: Stage,
    tell: Tell | None = None,
) -> PhaseResult:
    """Train until every rule is done, from the start or from where an earlier fit left the stage.

    tell: called every few iterations with each rule's share of them. Raises FitStopped when the stage is asked to stop.
    """
    run = _Run(engine, training, phase, hooks)
    left = stage.left
    for iteration in range(0 if left is None else run.resume(left), phase.iterations):
        if run.goes_on and iteration % LOOK_EVERY == 0:
            stage.look(lambda i=iteration: run.state(i))  # type: ignore[misc]
            run.let_go(iteration)
            if tell is not None:
                tell(run.shares(iteration))
        if not run.goes_on:
            break
        run.iterate(iteration)
    run.drop_all(phase.iterations)
    if tell is not None:
        tell(run.shares(phase.iterations))
    return run.result


class _Run:
    """`_active` are the numbers of the rules still in the batch, in the trainer's order."""

    def __init__(self, engine: Engine, training: Training, phase: Phase, hooks: FitHooks) -> None:
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

    def iterate(self, iteration: int) -> None:
        losses = self._trainer.iterate(iteration, self._phase.rate(iteration), noisy=self._phase.noisy)
        if iteration == 0:
            self._first_losses[self._active] = losses
        sound = losses < DIVERGED * self._first_losses[self._active] + 1e-3  # false for not-a-number
        if not sound.all():
            self.result.diverged[self._active[~sound]] = True
            self._drop(~sound, iteration + 1)

    def state(self, iteration: int) -> Arrays:
        """The arrays of a checkpoint from which this iteration would come next."""
        count = len(self.result.mse)
        own = {
            "iteration": np.full(count, iteration),
            "active": np.isin(np.arange(count), self._active),
            "first_losses": self._first_losses,
            "gained_losses": self._gained_losses,
            "gained_at": self._gained_at,
        }
        trainer = spread(self._trainer.state(), self._active, count)
        return own | with_prefix("result", self.result.arrays()) | with_prefix("trainer", trainer)

    def resume(self, state: Arrays) -> int:
        """Go on from a state; the iteration that comes next. Raises DamagedCheckpoint."""
        with damage_as_error():
            require_like(state, self.state(0))
            self._first_losses, self._gained_losses = state["first_losses"], state["gained_losses"]
            self._gained_at = state["gained_at"]
            self.result = PhaseResult(**without_prefix("result", state))
            self._active = np.flatnonzero(state["active"])
            if len(self._active):
                self._trainer.keep(self._active)
                self._trainer.restore(pick(without_prefix("trainer", state), self._active))
            return common(state["iteration"], self._phase.iterations)

    def let_go(self, iteration: int) -> None:
        """Let go of the rules that are done."""
        _, losses = self._trainer.best()
        self.result.mse[self._active] = losses
        leaving = np.isin(self._active, list(self._hooks.leaving()))
        leaving |= losses <= GOOD_ENOUGH_MSE
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
