"""Between two groups of rounding: the weights that are still free are trained for a while."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from regrow.core.codec.fit.checkpoint import (
    Arrays,
    common,
    damage_as_error,
    require_like,
    with_prefix,
    without_prefix,
)
from regrow.core.codec.fit.engines.base import Engine
from regrow.core.codec.fit.noise import rule_keys
from regrow.core.codec.fit.partly_rounded import Draft
from regrow.core.codec.fit.phase import DIVERGED, LOOK_EVERY, Phase
from regrow.core.codec.fit.task import FitTask
from regrow.core.codec.fit.trainers import Training, make_trainer

TUNING_RATE = 3e-3


def tune(
    engine: Engine,
    task: FitTask,
    drafts: Sequence[Draft],
    group: int,
    look: Callable[[Callable[[], Arrays]], None],
    left: Arrays | None = None,
) -> None:
    """Train the free weights of one draft for each rule, before the rounding of a group.

    look: called every few iterations, with what makes a checkpoint's arrays. left: such arrays to go on from.
    """
    run = _Tuning(engine, task, drafts, group)
    for iteration in range(0 if left is None else run.resume(left), run.iterations):
        if iteration % LOOK_EVERY == 0:
            look(lambda i=iteration: run.state(i))  # type: ignore[misc]
        run.iterate(iteration)
    run.end()


class _Tuning:
    def __init__(self, engine: Engine, task: FitTask, drafts: Sequence[Draft], group: int) -> None:
        self._drafts, self._group = drafts, group
        self._phase = Phase(task.schedule.tuning_iterations, TUNING_RATE, decays=True, noisy=True)
        training = Training(
            task.shape,
            task.state,
            task.targets,
            task.rollout,
            task.schedule.optimizer,
            np.stack([draft.weights for draft in drafts]).astype(np.float32),
            rule_keys(task.identities),
            np.stack([draft.frozen for draft in drafts]),
        )
        self._trainer = make_trainer(engine, training)
        self._first_losses = np.full(len(drafts), np.inf, dtype=np.float32)
        self._losses = self._first_losses

    @property
    def iterations(self) -> int:
        return self._phase.iterations

    def iterate(self, iteration: int) -> None:
        number = self._group * self.iterations + iteration
        self._losses = self._trainer.iterate(number, self._phase.rate(iteration), noisy=True)
        if iteration == 0:
            self._first_losses = self._losses

    def end(self) -> None:
        """Give the drafts their tuned weights, but for rules whose training diverged."""
        sound = self._losses < DIVERGED * self._first_losses
        for draft, tuned, is_sound in zip(self._drafts, self._trainer.current(), sound, strict=True):
            if is_sound and np.isfinite(tuned).all():
                draft.weights[~draft.frozen] = tuned[~draft.frozen]
            draft.tuned = self._group

    def state(self, iteration: int) -> Arrays:
        """The arrays of a checkpoint from which this iteration would come next."""
        own = {"iteration": np.full(len(self._drafts), iteration), "first_losses": self._first_losses}
        return own | with_prefix("trainer", self._trainer.state())

    def resume(self, state: Arrays) -> int:
        """Go on from a state; the iteration that comes next. Raises DamagedCheckpoint."""
        with damage_as_error():
            require_like(state, self.state(0))
            self._first_losses = state["first_losses"]
            self._trainer.restore(without_prefix("trainer", state))
            return common(state["iteration"], self.iterations)
