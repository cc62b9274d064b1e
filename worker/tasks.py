"""The Celery tasks: one message, one step.

What each kind of error means for a work unit is decided here; the work is in encode_job.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celery import Celery
from celery.exceptions import Reject

from regrow.core.errors import FitStopped, RegrowError, ServiceUnavailable, UnfitStore, VersionSkew
from regrow.core.jobs.dispatcher import Dispatcher
from regrow.core.jobs.messages import task_of, unit_of_message
from regrow.core.jobs.model import JobFailure
from regrow.core.jobs.work_unit import UnitKind, WorkUnit
from regrow.core.logs import log_context
from regrow.core.stores.blobs import BlobStore
from regrow.worker.intake import Intake, waking_request
from regrow.worker.leases import Hold, Leases
from regrow.worker.speed import Speed

log = logging.getLogger("regrow.worker")

REST_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""How long a worker rests after one outage, and after another that follows it, and so on."""

STORE_SECONDS = 60.0
"""How long the blob store is trusted to be fit before it is looked at again."""

Run = Callable[[Hold], None]


class StepFailed(RegrowError):
    """A step failed; what becomes of its unit is settled. For Celery, whose tools shall see it."""


@dataclass(slots=True)
class UnitRunner:
    """Runs the units that messages name, one per thread. node: this worker's name. batch_seconds: how long a batch
    shall take. stopping: set when this process is to end. run: does a unit that is held.

    refused: why this worker takes no work, if it does not. drained: whether it was asked to take none.
    """

    dispatcher: Dispatcher
    blobs: BlobStore
    leases: Leases
    speed: Speed
    node: str
    batch_seconds: float
    stopping: threading.Event
    run: Run
    refused: str | None = None
    drained: bool = False
    _outages: int = 0
    _looked_at: float = -STORE_SECONDS

    @property
    def batch_cost(self) -> float:
        """Cost (core.codec.encode.plan.patch_cost) that is done in one batch."""
        return self.speed.cost_in(self.batch_seconds)

    def work(self, unit: WorkUnit) -> None:
        """Do a unit that a message names, and hand out what is next.

        Raises StepFailed, and Reject where the unit is not, or no more, this worker's to do: the message is dropped.
        """
        try:
            self._wait_for_fit_store(unit)
            if self.stopping.is_set() or self.drained:
                self.leases.queue.hand_back(unit)
                raise Reject("this worker is to end, or to take no more", requeue=False)
            if not self.leases.queue.begin(unit, self.node):
                raise Reject("stale: another message was sent, or none is needed", requeue=False)
            with self.leases.holding(unit) as hold, log_context(job_id=unit.job_id):
                self._run(hold)
            self._outages = 0
        except ServiceUnavailable as error:
            with contextlib.suppress(ServiceUnavailable):
                self.leases.queue.hand_back(unit)
            self._rest(error)
            raise Reject(str(error), requeue=False) from error
        finally:
            self.dispatcher.try_dispatch()

    def _wait_for_fit_store(self, unit: WorkUnit) -> None:
        """Before anything is done that could not be stored. Where it is unfit, the unit is others', and this thread
        takes no other until it is fit or the process is to end. Raises Reject."""
        if time.monotonic() - self._looked_at < STORE_SECONDS:
            return
        try:
            self.blobs.check_fit()
            self._looked_at = time.monotonic()
        except UnfitStore as error:
            self._refuse(unit, error)

    def _refuse(self, unit: WorkUnit, error: UnfitStore) -> None:
        if self.refused is None:
            log.error("%s", error)
        self.refused = str(error)
        with contextlib.suppress(ServiceUnavailable):
            self.leases.queue.hand_back(unit)
        self.dispatcher.try_dispatch()
        while not self.stopping.wait(REST_SECONDS[1]):
            with contextlib.suppress(ServiceUnavailable):
                self.blobs.check_fit()
                break
        self.refused = None
        raise Reject(str(error), requeue=False) from error

    def _run(self, hold: Hold) -> None:
        queue = self.leases.queue
        try:
            self.run(hold)
            queue.let_go(hold.unit)
        except FitStopped as error:
            queue.hand_back(hold.unit)
            log.info("%s: handed back", hold.unit.name)
            raise Reject("handed back", requeue=False) from error
        except UnfitStore as error:
            self._refuse(hold.unit, error)
        except ServiceUnavailable:
            with contextlib.suppress(ServiceUnavailable):
                queue.hand_back(hold.unit)
            raise
        except Exception as error:
            log.exception("%s: failed at try %d", hold.unit.name, hold.unit.tries)
            failure = _failure(error)
            queue.fail(hold.unit, failure)
            raise StepFailed(failure.message) from error

    def _rest(self, error: ServiceUnavailable) -> None:
        seconds = REST_SECONDS[min(self._outages, len(REST_SECONDS) - 1)]
        self._outages += 1
        log.warning("%s; resting for %g s", error, seconds)
        self.stopping.wait(seconds)


def register_tasks(app: Celery, runner: UnitRunner, intake: Intake) -> None:
    """Give the application a task for each kind of unit."""
    options: dict[str, Any] = {"bind": True, "ignore_result": True, "acks_late": True}
    for kind in UnitKind:
        app.task(name=task_of(kind), Request=waking_request(intake), **options)(_task(kind, runner))


def _task(kind: UnitKind, runner: UnitRunner) -> Callable[..., None]:
    def do(task: Any, **message: Any) -> None:
        queue = str(task.request.delivery_info["routing_key"])
        try:
            unit = unit_of_message(kind, queue, message)
        except VersionSkew as error:
            log.error("%s", error)
            runner.stopping.wait(REST_SECONDS[1])
            raise Reject(str(error), requeue=True) from error  # for a worker that understands it
        except (KeyError, ValueError) as error:
            raise Reject(f"a message that cannot be read: {error}", requeue=False) from error
        runner.work(unit)

    return do


def _failure(error: Exception) -> JobFailure:
    if isinstance(error, MemoryError):
        return JobFailure("out-of-memory", "the worker had too little memory")
    if isinstance(error, RegrowError):
        return JobFailure("worker-error", str(error))
    return JobFailure("internal-error", f"an unexpected error in the worker: {type(error).__name__}")
