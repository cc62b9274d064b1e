"""The Celery task: a message wakes a worker, which works until there is nothing left to claim.

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
from regrow.core.jobs.lifecycle import Jobs
from regrow.core.jobs.messages import PROTOCOL, TaskName
from regrow.core.jobs.model import JobFailure
from regrow.core.logs import log_context
from regrow.core.stores.blobs import BlobStore
from regrow.core.version import VERSION
from regrow.worker.leases import Hold, Leases
from regrow.worker.speed import Speed

log = logging.getLogger("regrow.worker")

REST_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""How long a worker rests after one outage, and after another that follows it, and so on."""

SHIFT_SECONDS = 60.0
"""How long a worker works on one message; then it sends another, for itself or whoever is free."""

Run = Callable[[Hold], None]


@dataclass(slots=True)
class UnitRunner:
    """Claims work units and runs them, one per thread. batch_seconds: how long a batch shall take. stopping: set when
    this process is to end. run: does a unit that is held.

    workers: how many are alive; refused: why this one takes no work, if it does not.
    """

    jobs: Jobs
    blobs: BlobStore
    leases: Leases
    speed: Speed
    batch_seconds: float
    stopping: threading.Event
    run: Run
    workers: int = 1
    refused: str | None = None
    _outages: int = 0

    def work(self, protocol: int) -> None:
        """Until nothing is left to claim, or the process is to end, or the shift is over.

        Raises Reject, which puts the message back, where this worker must not work.
        """
        try:
            if protocol > PROTOCOL:  # an earlier one's wakes as well as any
                raise VersionSkew(
                    f"a message of protocol {protocol} reached a worker of {PROTOCOL} (release {VERSION}): "
                    "install one release on API and workers"
                )
            self.blobs.check_fit()  # before anything is fitted that could not be stored
            start = time.monotonic()
            while not self.stopping.is_set() and self._next():
                if time.monotonic() - start > SHIFT_SECONDS:
                    break
            if self.leases.queue.is_waiting():
                self.jobs.wake()
            self.refused, self._outages = None, 0
        except (VersionSkew, UnfitStore) as error:
            if self.refused is None:
                log.error("%s", error)
            self.refused = str(error)
            self.stopping.wait(REST_SECONDS[1])
            raise Reject(str(error), requeue=True) from error
        except ServiceUnavailable as error:
            self._rest(error)  # the sweeper sends another message
        except Exception:
            log.exception("a worker's turn failed")
            self.stopping.wait(REST_SECONDS[1])

    def _next(self) -> bool:
        """Claim a unit and run it; false where there is none."""
        claim = self.leases.queue.claim(self.speed.cost_in(self.batch_seconds), self.workers)
        if claim is None:
            return False
        with self.leases.holding(claim.unit) as hold:
            if claim.wake:
                self.jobs.wake()
            with log_context(job_id=claim.unit.job_id):
                self._run(hold)
        return True

    def _run(self, hold: Hold) -> None:
        queue = self.leases.queue
        try:
            self.run(hold)
            queue.let_go(hold.unit)
            self._outages = 0
        except FitStopped:
            queue.hand_back(hold.unit)
            log.info("%s: handed back", hold.unit.name)
        except ServiceUnavailable as error:
            with contextlib.suppress(ServiceUnavailable):
                queue.hand_back(hold.unit)
            if isinstance(error, UnfitStore):
                raise
            self._rest(error)
        except Exception as error:
            log.exception("%s: failed at try %d", hold.unit.name, hold.unit.tries)
            queue.fail(hold.unit, _failure(error))

    def _rest(self, error: ServiceUnavailable) -> None:
        seconds = REST_SECONDS[min(self._outages, len(REST_SECONDS) - 1)]
        self._outages += 1
        log.warning("%s; resting for %g s", error, seconds)
        self.stopping.wait(seconds)


def register_task(app: Celery, runner: UnitRunner) -> None:
    """Give the application its task."""
    options: dict[str, Any] = {"ignore_result": True, "acks_late": True}

    @app.task(name=TaskName.WORK, **options)  # type: ignore[untyped-decorator]  # Celery is not typed
    def work(protocol: int = 0, **_: object) -> None:
        runner.work(protocol)


def _failure(error: Exception) -> JobFailure:
    if isinstance(error, MemoryError):
        return JobFailure("out-of-memory", "the worker had too little memory")
    if isinstance(error, RegrowError):
        return JobFailure("worker-error", str(error))
    return JobFailure("internal-error", f"an unexpected error in the worker: {type(error).__name__}")
