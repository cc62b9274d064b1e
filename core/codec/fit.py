"""Fitting: training the rules of many patches side by side.

Each rule has its own start, noise, loss, best weights and end, so a patch's bytes do not depend on the batch it is in.
A rule that is done leaves the batch, so that the rest run faster.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from core.codec.engines.base import Array, Engine, Rollout, Targets
from core.codec.noise import rule_keys
from core.codec.presets import Schedule
from core.codec.rule import RuleShape, initial_weights
from core.codec.trainers import Trainer, Training, make_trainer
from core.errors import FitStopped

WARM_UP_ITERATIONS = 10
LOOK_EVERY = 5
"""Iterations between two looks at the clock, at whoever may stop the fit, and at which rules are done."""

GOOD_ENOUGH_PSNR = 55.0
"""dB at which a rule is done whatever the target: rounding to 8 bits alone gives 58.9 dB."""

PATIENCE = 0.25
"""Share of all iterations without any gain after which a rule has reached its plateau and is done."""

DIVERGED = 4.0
"""A loss this many times the rule's first one, or one that is not finite, has diverged."""


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
    follow from it alone. target_psnr: dB, of the unrounded rule, at which it is done.
    """

    shape: RuleShape
    seed: Array
    targets: Targets
    rollout: Rollout
    schedule: Schedule
    identities: tuple[tuple[int, int], ...]
    target_psnr: float = GOOD_ENOUGH_PSNR

    def only(self, indices: npt.NDArray[np.intp], attempt: int) -> FitTask:
        """The same for some of the rules, with other random numbers for a later attempt."""
        chosen = [self.identities[index] for index in indices]
        return replace(
            self,
            targets=Targets(self.targets.pixels[indices], self.targets.extents[indices]),
            identities=tuple((seed_number + attempt * 0x10001, patch) for seed_number, patch in chosen),
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """weights: float32 (G, parameters), each rule's best; mse: float32 (G,), their loss; iterations: int64 (G,)."""

    weights: Array
    mse: Array
    iterations: npt.NDArray[np.int64]


def learning_rate(schedule: Schedule, iteration: int) -> float:
    """Linear warm-up over the first ten iterations, then a cosine from the peak to zero; or constant."""
    if not schedule.decays:
        return schedule.learning_rate
    warm_up = min(1.0, (iteration + 1) / WARM_UP_ITERATIONS)
    return schedule.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * iteration / schedule.iterations))


def fit(engine: Engine, task: FitTask, hooks: FitHooks | None = None) -> Fitted:
    """Train one rule per target. A rule that diverges is started once more, gentler, and then kept at its best.

    Raises FitStopped when the hooks ask for it.
    """
    hooks = hooks or FitHooks()
    run = _Run(engine, task, hooks)
    fitted = run.to_the_end()
    failed = np.flatnonzero(run.diverged)
    if len(failed):
        gentler = replace(task.schedule, learning_rate=task.schedule.learning_rate / 2)
        quiet = replace(hooks, on_progress=_ignore, leaving=_nobody)
        again = _Run(engine, replace(task.only(failed, attempt=1), schedule=gentler), quiet).to_the_end()
        better = failed[again.mse < fitted.mse[failed]]
        fitted.weights[better] = again.weights[again.mse < fitted.mse[failed]]
        fitted.mse[failed] = np.minimum(fitted.mse[failed], again.mse)
        fitted.iterations[failed] += again.iterations
    return fitted


class _Run:
    """One pass over the schedule. `active` are the numbers of the rules still in the batch."""

    def __init__(self, engine: Engine, task: FitTask, hooks: FitHooks) -> None:
        count = len(task.identities)
        rngs = [np.random.default_rng(identity) for identity in task.identities]
        weights = initial_weights(task.shape, rngs)
        keys = rule_keys(task.identities)
        self._task, self._hooks = task, hooks
        self._trainer: Trainer = make_trainer(
            engine,
            Training(task.shape, task.seed, task.targets, task.rollout, task.schedule.optimizer, weights, keys),
        )
        self._active = np.arange(count)
        self._fitted = Fitted(weights.copy(), np.full(count, np.inf, np.float32), np.zeros(count, np.int64))
        self.diverged = np.zeros(count, dtype=np.bool_)
        self._first_losses = np.zeros(count, dtype=np.float32)
        self._plateau = _Plateau(count, 0)

    def to_the_end(self) -> Fitted:
        schedule = self._task.schedule
        noise_from = round(schedule.noise_from * schedule.iterations)
        for iteration in range(schedule.iterations):
            if iteration % LOOK_EVERY == 0 and self._look(iteration):
                break
            if iteration == noise_from:
                self._plateau = _Plateau(len(self._first_losses), iteration)
            rate = learning_rate(schedule, iteration)
            losses = self._trainer.step(iteration, rate, noisy=iteration >= noise_from)
            if iteration == 0:
                self._first_losses[self._active] = losses
            sound = losses < DIVERGED * self._first_losses[self._active] + 1e-3  # false for not-a-number
            if not sound.all():
                self.diverged[self._active[~sound]] = True
                self._drop(~sound, iteration + 1)
            if not len(self._active):
                break
        else:
            self._drop(np.ones(len(self._active), dtype=np.bool_), schedule.iterations)
        self._tell(schedule.iterations)
        return self._fitted

    def _look(self, iteration: int) -> bool:
        """Whether the run is over: no rule is left, or the deadline has come. Raises FitStopped."""
        if self._hooks.should_stop():
            raise FitStopped("the fit was asked to stop")
        _, losses = self._trainer.best()
        self._fitted.mse[self._active] = losses
        self._tell(iteration)
        leaving = np.isin(self._active, list(self._hooks.leaving()))
        late = time.monotonic() >= self._hooks.deadline
        if late and iteration > 0:
            leaving[:] = True
        self._drop(leaving | self._done(iteration, losses), iteration)
        return not len(self._active)

    def _done(self, iteration: int, losses: Array) -> npt.NDArray[np.bool_]:
        schedule = self._task.schedule
        reached: npt.NDArray[np.bool_] = losses <= 10 ** (-self._task.target_psnr / 10)
        stuck = self._plateau.stuck(self._active, losses, iteration, PATIENCE * schedule.iterations)
        return reached | stuck if schedule.decays else reached & False

    def _drop(self, leaving: npt.NDArray[np.bool_], iterations: int) -> None:
        """Take rules out of the batch and keep their best."""
        if not leaving.any():
            return
        gone = self._active[leaving]
        weights, losses = self._trainer.best()
        self._fitted.weights[gone] = weights[leaving]
        self._fitted.mse[gone] = losses[leaving]
        self._fitted.iterations[gone] = iterations
        self._active = self._active[~leaving]
        if len(self._active):
            self._trainer.keep(np.flatnonzero(~leaving))

    def _tell(self, iteration: int) -> None:
        share = np.ones(len(self._fitted.mse))
        share[self._active] = iteration / self._task.schedule.iterations
        self._hooks.on_progress(FitProgress(share, self._fitted.mse))


class _Plateau:
    """When each rule last gained."""

    GAIN = 0.998
    """A loss below this share of the last one that counted is a gain: 0.01 dB."""

    def __init__(self, count: int, start: int) -> None:
        self._losses = np.full(count, np.inf)
        self._iterations = np.full(count, start)

    def stuck(
        self, active: npt.NDArray[np.intp], losses: Array, iteration: int, patience: float
    ) -> npt.NDArray[np.bool_]:
        """bool, per active rule: whether it has not gained for longer than `patience` iterations."""
        gained = losses < self.GAIN * self._losses[active]
        self._losses[active[gained]] = losses[gained]
        self._iterations[active[gained]] = iteration
        late: npt.NDArray[np.bool_] = iteration - self._iterations[active] > patience
        return late
