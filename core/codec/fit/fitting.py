"""Fitting: from patches to rules that a bundle can hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regrow.core.codec.fit.checkpoint import Checkpoints, FitCheckpoint
from regrow.core.codec.fit.engines.base import Array, Engine
from regrow.core.codec.fit.partly_rounded import RoundedRule
from regrow.core.codec.fit.rounding import round_rules
from regrow.core.codec.fit.stages import Stages
from regrow.core.codec.fit.task import FitHooks, FitTask
from regrow.core.codec.fit.training import train


@dataclass(frozen=True, slots=True)
class Fitted:
    """rules: for each of the G patches, its rule rounded once with each factor of FitTask.coarseness.

    float_mse: float32 (G,), the best loss of training, before noise and rounding, brightness in [0, 1]. iterations:
    int64 (G,), of training and of the fine-tuning between roundings.
    """

    rules: tuple[tuple[RoundedRule, ...], ...]
    float_mse: Array
    iterations: npt.NDArray[np.int64]

    def part(self, which: slice) -> Fitted:
        """Some of the patches."""
        return Fitted(self.rules[which], self.float_mse[which], self.iterations[which])


def fit(
    engine: Engine,
    task: FitTask,
    hooks: FitHooks | None = None,
    checkpoints: Checkpoints[FitCheckpoint] | None = None,
) -> Fitted:
    """Train and round one rule per target, or go on where an earlier fit of this task was.

    checkpoints: what that fit left, and who keeps this one's state; nobody where None. Raises FitStopped when the hooks
    ask for it, DamagedCheckpoint where the state to go on with is not of such a fit.
    """
    stages = Stages(engine, task, hooks, checkpoints)
    trained = train(engine, task, stages)
    rules = round_rules(engine, task, trained.weights, stages)
    return Fitted(rules, trained.float_mse, trained.iterations + task.schedule.tuning * len(task.coarseness))
