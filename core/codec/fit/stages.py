"""The stages of a fit, one after the other: what each has made, and where an earlier fit left the one it was in."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from regrow.core.codec.fit.checkpoint import Arrays, Checkpoints, FitCheckpoint, pick, spread
from regrow.core.codec.fit.engines.base import Engine
from regrow.core.codec.fit.task import FitHooks, FitTask
from regrow.core.errors import DamagedCheckpoint, FitStopped


class Stages:
    """All stages of one fit. Raises DamagedCheckpoint where the checkpoint to go on with is not of such a fit."""

    def __init__(
        self,
        engine: Engine,
        task: FitTask,
        hooks: FitHooks | None = None,
        checkpoints: Checkpoints[FitCheckpoint] | None = None,
    ) -> None:
        self.hooks = hooks or FitHooks()
        self.checkpoints: Checkpoints[FitCheckpoint] = checkpoints or Checkpoints()
        self.count = len(task.identities)
        self._engine = engine.name
        self._finished: dict[str, Arrays] = {}
        self._left: dict[str, Arrays] = {}
        found = self.checkpoints.resume
        if found is not None:
            if found.engine != engine.name:
                raise DamagedCheckpoint(f"it is of the engine {found.engine}, not {engine.name}")
            if any(len(array) != self.count for arrays in found.stages.values() for array in arrays.values()):
                raise DamagedCheckpoint(f"it is not of {self.count} rules")
            self._finished = {name: arrays for name, arrays in found.stages.items() if name != found.running}
            self._left = {found.running: found.stages[found.running]}

    def stage(self, name: str, rules: npt.NDArray[np.intp] | None = None) -> Stage:
        """The stage of this name, which concerns all rules or these."""
        return Stage(self, name, np.arange(self.count) if rules is None else rules)

    def finished(self, name: str) -> Arrays | None:
        """What a stage made."""
        return self._finished.get(name)

    def left(self, name: str) -> Arrays | None:
        """Where an earlier fit was in a stage."""
        return self._left.get(name)

    def finish(self, name: str, made: Arrays) -> None:
        """Note what a stage made; every later checkpoint has it."""
        self._finished[name] = made

    def save(self, name: str, state: Arrays) -> None:
        """A checkpoint within a stage."""
        self.checkpoints.save(FitCheckpoint(self._engine, name, {**self._finished, name: state}))


class Stage:
    """One stage. Its arrays have one row for each of its rules, in their order."""

    def __init__(self, stages: Stages, name: str, rules: npt.NDArray[np.intp]) -> None:
        self._stages, self._name, self._rules = stages, name, rules

    @property
    def made(self) -> Arrays | None:
        """Copies of what it made, where it is finished."""
        found = self._stages.finished(self._name)
        return None if found is None else pick(found, self._rules)

    @property
    def left(self) -> Arrays | None:
        """Copies of the state in which an earlier fit left it, if it did."""
        found = self._stages.left(self._name)
        return None if found is None else pick(found, self._rules)

    def finish(self, made: Arrays) -> None:
        """End the stage with what it made."""
        self._stages.finish(self._name, spread(made, self._rules, self._stages.count))

    def look(self, state: Callable[[], Arrays]) -> None:
        """Save the state where a checkpoint is due. Raises FitStopped, after saving, when the hooks ask for it."""
        if self._stages.hooks.should_stop():
            self.stop(state)
        self.save_if_due(state)

    def save_if_due(self, state: Callable[[], Arrays]) -> None:
        """Save the state where a checkpoint is due."""
        checkpoints = self._stages.checkpoints
        if checkpoints.wanted and checkpoints.due():
            self._save(state)

    def stop(self, state: Callable[[], Arrays]) -> NoReturn:
        """Save the state and raise FitStopped."""
        if self._stages.checkpoints.wanted:
            self._save(state)
        raise FitStopped("the fit was asked to stop")

    def _save(self, state: Callable[[], Arrays]) -> None:
        self._stages.save(self._name, spread(state(), self._rules, self._stages.count))
