"""One device, several messages: fits that wait at the same time share one batch.

A message carries patches of one job only, so small jobs alone would leave a GPU idle. A worker process on a GPU
therefore takes several messages at once, each in a thread of its own, and whichever thread finds the device free fits
the patches of all that wait. A patch's bytes do not depend on its batch, so nobody can tell.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from regrow.core.codec.fit.checkpoint import Checkpoints, FitCheckpoint
from regrow.core.codec.fit.engines.base import Engine, Targets
from regrow.core.codec.fit.fitting import Fitted, fit
from regrow.core.codec.fit.task import FitHooks, FitProgress, FitTask
from regrow.core.errors import FitStopped

ASK_SECONDS = 0.5
"""How often a thread that waits for the device, or for its result, asks whether it is still wanted."""


@dataclass(eq=False, slots=True)
class _Request:
    task: FitTask
    hooks: FitHooks
    checkpoints: Checkpoints[FitCheckpoint]
    result: Fitted | None = None
    error: BaseException | None = None
    taken: bool = False
    leaving: bool = False

    @property
    def over(self) -> bool:
        return self.result is not None or self.error is not None

    @property
    def kind(self) -> tuple[object, ...]:
        """Requests of one kind can share a batch. One that goes on with a checkpoint is like no other."""
        task = self.task
        size = task.targets.pixels.shape[2:]
        return (replace(task, targets=None, identities=()), size, self.checkpoints.resume)  # type: ignore[arg-type]

    def ask(self) -> None:
        """Note that the request is not wanted any more, or that asking itself failed.

        One whose patches are being fitted is `leaving` until what they have is saved.
        """
        try:
            if not self.over and self.hooks.should_stop():
                self.leaving = True
                if not (self.taken and self.checkpoints.wanted):
                    self.stop()
        except Exception as error:
            self.error = error

    def is_due(self) -> bool:
        """Whether a checkpoint is."""
        try:
            return self.leaving or (self.checkpoints.wanted and self.checkpoints.due())
        except Exception as error:
            self.error = error
            return False

    def save(self, checkpoint: FitCheckpoint) -> None:
        try:
            self.checkpoints.save(checkpoint)
        except Exception as error:
            self.error = error
        if self.leaving:
            self.stop()

    def stop(self) -> None:
        self.error = self.error or FitStopped("the fit was asked to stop")


@dataclass(slots=True)
class FitGatherer:
    """Thread-safe owner of one engine. gather_seconds: how long a fit waits for others to join; 0 on a CPU."""

    engine: Engine
    gather_seconds: float = 0.0
    _condition: threading.Condition = field(default_factory=threading.Condition)
    _waiting: list[_Request] = field(default_factory=list)
    _busy: bool = False

    def fit(self, task: FitTask, hooks: FitHooks, checkpoints: Checkpoints[FitCheckpoint] | None = None) -> Fitted:
        """As core.codec.fit.fitting.fit, perhaps together with other threads' tasks."""
        request = _Request(task, hooks, checkpoints or Checkpoints())
        with self._condition:
            self._waiting.append(request)
        while not request.over:
            if self._take_device(request):
                self._fit_waiting(request)
            elif not request.taken:
                request.ask()  # not under the lock: it may ask a server
        with self._condition:
            if request in self._waiting:
                self._waiting.remove(request)
        if request.result is None:
            raise request.error or FitStopped("the fit was asked to stop")
        return request.result

    def _take_device(self, request: _Request) -> bool:
        """Whether the device is this thread's now; otherwise, a wait for something to change."""
        with self._condition:
            if self._busy or request.taken:
                self._condition.wait(ASK_SECONDS)
                return False
            self._busy = True
            return True

    @contextmanager
    def device(self) -> Iterator[Engine]:
        """The engine, for one thread alone."""
        with self._condition:
            while self._busy:
                self._condition.wait()
            self._busy = True
        try:
            yield self.engine
        finally:
            self._release()

    def _fit_waiting(self, leader: _Request) -> None:
        """Fit all requests of the leader's kind. The device is this thread's."""
        try:
            with self._condition:
                if self.gather_seconds:
                    self._condition.wait(self.gather_seconds)
                batch = [request for request in self._waiting if not request.over and request.kind == leader.kind]
                for request in batch:
                    request.taken = True
                self._waiting = [request for request in self._waiting if not request.taken]
            _JointFit(batch).run(self.engine)
        finally:
            self._release()

    def _release(self) -> None:
        with self._condition:
            self._busy = False
            self._condition.notify_all()


class _JointFit:
    """One fit of all patches of several requests; gives every request its result or its error."""

    def __init__(self, batch: list[_Request]) -> None:
        counts = [len(request.task.identities) for request in batch]
        ends = np.cumsum(counts)
        self._batch = batch
        self._parts = [slice(int(end) - count, int(end)) for end, count in zip(ends, counts, strict=True)]
        self._due: list[_Request] = []

    def run(self, engine: Engine) -> None:
        checkpoints = Checkpoints(self._batch[0].checkpoints.resume, self._is_due, self._save)
        hooks = FitHooks(self._nobody_waits, self._unwanted, self._tell)
        try:
            fitted = fit(engine, _joined([request.task for request in self._batch]), hooks, checkpoints)
        except BaseException as error:
            for request in self._batch:
                request.error = request.error or error
            return
        for request, part in self._open():
            request.result = fitted.part(part)

    def _open(self) -> list[tuple[_Request, slice]]:
        pairs = zip(self._batch, self._parts, strict=True)
        return [(request, part) for request, part in pairs if not request.over]

    def _nobody_waits(self) -> bool:
        for request in self._batch:
            request.ask()
        return all(request.leaving for request, _ in self._open())

    def _is_due(self) -> bool:
        self._due = [request for request, _ in self._open() if request.is_due()]
        return bool(self._due)

    def _save(self, checkpoint: FitCheckpoint) -> None:
        """Give those that are due, or leave, what their patches have."""
        for request, part in self._open():
            if request in self._due or request.leaving:
                request.save(checkpoint.part(part))
        self._due = []

    def _unwanted(self) -> list[int]:
        pairs = zip(self._batch, self._parts, strict=True)
        return [rule for request, part in pairs if request.over for rule in range(part.start, part.stop)]

    def _tell(self, progress: FitProgress) -> None:
        for request, part in self._open():
            try:
                request.hooks.on_progress(FitProgress(progress.share[part], progress.phase))
            except Exception as error:
                request.error = error  # one job's trouble must not end its neighbours' fit


def _joined(tasks: list[FitTask]) -> FitTask:
    targets = Targets(
        np.concatenate([task.targets.pixels for task in tasks]),
        np.concatenate([task.targets.extents for task in tasks]),
    )
    identities = tuple(identity for task in tasks for identity in task.identities)
    return replace(tasks[0], targets=targets, identities=identities)
