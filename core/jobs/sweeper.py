"""The sweeper: takes up what crashes, outages and lost memory have left behind.

All it does may be done twice, so any number of sweepers may run at once.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta

from core.errors import BlobNotFound, JobNotFound, ServiceUnavailable
from core.jobs.blobs.base import delete_all
from core.jobs.documents import IDEMPOTENCY, JOBS, OPEN, IdempotencyDocument, JobKeys, OutcomeDocument
from core.jobs.lifecycle import Jobs
from core.jobs.model import FINAL_STATES, JobFailure, created_ms
from core.jobs.queue import StepQueue

log = logging.getLogger("regrow.sweeper")

SWEEP_SECONDS = 1.0
RECONCILE_SECONDS = 5.0
CLEAN_SECONDS = 60.0

GRACE_MS = 60_000
"""An upload younger than this may still be on its way into the blob store."""

KEY_LIFE_MS = 24 * 3600 * 1000
"""How long an idempotency key is remembered."""


class Sweeper:
    """result_ttl: how long after its end a job is deleted; None: never."""

    def __init__(self, jobs: Jobs, queue: StepQueue, result_ttl: timedelta | None = None) -> None:
        self._jobs, self._queue, self._result_ttl = jobs, queue, result_ttl

    def run(self, stopping: threading.Event) -> None:
        """Sweep until told to stop. An outage only makes it wait."""
        due = {self.sweep: 0.0, self.reconcile: 0.0, self.clean: 0.0}
        clean = min(CLEAN_SECONDS, self._result_ttl.total_seconds()) if self._result_ttl else CLEAN_SECONDS
        every = {self.sweep: SWEEP_SECONDS, self.reconcile: RECONCILE_SECONDS, self.clean: clean}
        down = False
        while not stopping.wait(min(due.values()) - time.monotonic()):
            for work in (work for work, when in due.items() if when <= time.monotonic()):
                try:
                    work()
                    down = down and work is not self.sweep
                except ServiceUnavailable as error:
                    if not down:
                        log.warning("%s; sweeping goes on when it is back", error)
                    down = True
                except Exception:
                    log.exception("a sweep failed")
                due[work] = time.monotonic() + every[work]

    def sweep(self) -> None:
        """What Redis alone tells: leases that ended, jobs out of time, work that no worker was woken for."""
        # After an outage of Redis itself, those who hold leases must have had time to renew them.
        if self._jobs.store.up_seconds() > self._queue.lease:
            ended = self._queue.expire()
            if ended:
                log.warning("%d leases ended without a word from their workers: handed out again", ended)
        for job_id in self._jobs.store.overdue():
            self._jobs.fail(job_id, JobFailure("timeout", "the job took longer than its timeout"))
        if self._queue.is_waiting():
            self._jobs.sender.wake()

    def reconcile(self) -> None:
        """Bring both stores to one mind about every job that has not ended."""
        open_jobs = set(self._jobs.store.open_jobs())
        markers = {key.removeprefix(OPEN) for key in self._jobs.blobs.list(OPEN)}
        for job_id in sorted(markers - open_jobs):
            self._take_up(job_id)
        for job_id in sorted(open_jobs - markers):
            self._mark_or_forget(job_id)
        for job_id in self._queue.stalled():
            log.warning("job %s stands still: entered anew from the blob store", job_id)
            self._jobs.store.forget(job_id)
            self._take_up(job_id)

    def clean(self) -> None:
        """Delete what has had its time: jobs and idempotency keys."""
        now = self._jobs.store.now_ms()
        if self._result_ttl is not None:
            last = now - self._result_ttl.total_seconds() * 1000
            for job_id in self._jobs.blobs.folders(JOBS):
                if created_ms(job_id) < last:
                    self._delete_if_ended_by(job_id, last)
        for key in self._jobs.blobs.list(IDEMPOTENCY):
            if now - IdempotencyDocument.model_validate_json(self._jobs.blobs.get(key)).created_ms > KEY_LIFE_MS:
                self._jobs.blobs.delete(key)
        self._jobs.store.trim()

    def _take_up(self, job_id: str) -> None:
        """A job that the blob store has as open and Redis has not."""
        try:
            state = self._jobs.store.state(job_id)
        except JobNotFound:
            self._restore(job_id)
            return
        if state in FINAL_STATES:  # somebody died on the way to its end
            self._jobs.close(job_id)

    def _restore(self, job_id: str) -> None:
        try:
            self._jobs.restore(job_id)
            log.warning("job %s was unknown to Redis: entered from the blob store", job_id)
        except JobNotFound:  # an upload that is on its way, or came to nothing
            if self._jobs.store.now_ms() - created_ms(job_id) > GRACE_MS:
                delete_all(self._jobs.blobs, JobKeys(job_id).prefix)
                self._jobs.blobs.delete(JobKeys(job_id).open)
            return
        if self._jobs.store.state(job_id) in FINAL_STATES:
            self._jobs.close(job_id)

    def _mark_or_forget(self, job_id: str) -> None:
        """A job that Redis has as open and the blob store has not."""
        if self._jobs.blobs.exists(JobKeys(job_id).job):
            if self._jobs.store.state(job_id) not in FINAL_STATES:
                self._jobs.blobs.put(JobKeys(job_id).open, b"")
        else:
            self._jobs.store.forget(job_id)

    def _delete_if_ended_by(self, job_id: str, last: float) -> None:
        try:
            outcome = OutcomeDocument.model_validate_json(self._jobs.blobs.get(JobKeys(job_id).outcome))
        except BlobNotFound:
            return
        if outcome.finished_ms < last:
            self._jobs.delete(job_id)
            log.info("job %s: deleted, as its results have had their time", job_id)
