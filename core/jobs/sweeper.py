"""The sweeper: takes up what crashes, outages and lost memory have left behind.

All it does may be done twice, so any number of sweepers may run at once. One thread looks after what cannot wait,
another after what takes time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta

from regrow.core.errors import BlobNotFound, GroupNotFound, JobNotFound, ServiceUnavailable
from regrow.core.jobs.documents import IDEMPOTENCY, JOBS, OPEN, JobKeys, OutcomeDocument
from regrow.core.jobs.groups import GROUPS, OPEN_GROUPS
from regrow.core.jobs.idempotency import days
from regrow.core.jobs.model import FINAL_STATES, JobFailure, created_ms, is_job_id
from regrow.core.jobs.queue import NOTHING_EXPIRED
from regrow.core.jobs.wiring import Backend
from regrow.core.stores.blobs import delete_all

log = logging.getLogger("regrow.sweeper")

SWEEP_SECONDS = 1.0
RECONCILE_SECONDS = 5.0
CLEAN_SECONDS = 60.0

GRACE_MS = 600_000
"""An upload younger than this may still be on its way into the blob store."""

CONTACT_SECONDS = 5.0
"""After an outage, those who hold leases get so long to renew them, or as long as a lease if that is less."""


class Sweeper:
    """result_ttl: how long after its end a job is deleted; None: never."""

    def __init__(self, backend: Backend, result_ttl: timedelta | None = None) -> None:
        self._jobs, self._groups, self._queue = backend.jobs, backend.groups, backend.queue
        self._store, self._blobs = backend.store, backend.blobs
        self._dispatcher, self._capacity = backend.dispatcher, backend.capacity
        self._result_ttl = result_ttl
        self._contact_since: float | None = None
        self._stopping = threading.Event()

    def run(self, stopping: threading.Event) -> None:
        """Sweep until told to stop. An outage only makes it wait."""
        self._stopping = stopping
        clean_seconds = CLEAN_SECONDS
        if self._result_ttl is not None:
            clean_seconds = min(clean_seconds, self._result_ttl.total_seconds())
        slow = {self.reconcile: RECONCILE_SECONDS, self.clean: clean_seconds}
        thread = threading.Thread(target=self._every, args=[slow], name="reconcile", daemon=True)
        thread.start()
        self._every({self.sweep: SWEEP_SECONDS})
        thread.join()

    def sweep(self) -> None:
        """What Redis alone tells: what workers can take, leases that ended, lost messages, jobs out of time."""
        try:
            self._capacity.sum_up()
            up = self._store.up_seconds()
        except ServiceUnavailable:
            self._contact_since = None
            raise
        now = time.monotonic()
        self._contact_since = now if self._contact_since is None else self._contact_since
        if min(up, now - self._contact_since) >= min(CONTACT_SECONDS, self._queue.lease):
            self._expire()
        late, long = self._store.overdue()
        self._for_each(late, self._end_late)
        self._for_each(long, self._end_long)
        self._dispatcher.dispatch()

    def reconcile(self) -> None:
        """Bring both stores to one mind about every job that has not ended."""
        open_jobs = set(self._store.open_jobs())
        markers = {key.removeprefix(OPEN) for key in self._blobs.list(OPEN)}
        self._for_each(sorted(filter(is_job_id, markers - open_jobs)), self._take_up)
        self._for_each(sorted(open_jobs - markers), self._mark_or_forget)
        self._for_each(self._queue.stalled(), self._enter_anew)
        groups = [key.removeprefix(OPEN_GROUPS) for key in self._blobs.list(OPEN_GROUPS)]
        self._for_each(filter(is_job_id, groups), self._groups.announce_ended)

    def clean(self) -> None:
        """Delete what has had its time: jobs, idempotency keys, what killed writers left."""
        if self._result_ttl is not None:
            last = self._store.now_ms() - self._result_ttl.total_seconds() * 1000
            ids = filter(is_job_id, self._blobs.folders(JOBS))
            old = (job_id for job_id in ids if created_ms(job_id) < last)
            self._for_each(old, lambda job_id: self._delete_if_ended_by(job_id, last))
            groups = filter(is_job_id, self._blobs.folders(GROUPS))
            self._for_each((each for each in groups if created_ms(each) < last), self._groups.forget_if_empty)
        remembered = days(self._store.now_ms())
        for day in self._blobs.folders(IDEMPOTENCY):
            if day < min(remembered):
                delete_all(self._blobs, f"{IDEMPOTENCY}{day}/")
        self._blobs.tidy()
        self._store.trim()

    def _every(self, work: dict[Callable[[], None], float]) -> None:
        """Do each so many seconds after it was done last."""
        due, down = dict.fromkeys(work, 0.0), False
        while not self._stopping.wait(max(0.0, min(due.values()) - time.monotonic())):
            for each in [each for each, when in due.items() if when <= time.monotonic()]:
                try:
                    each()
                    down = False
                except ServiceUnavailable as error:
                    if not down:
                        log.warning("%s; sweeping goes on when it is back", error)
                    down = True
                except Exception:
                    log.exception("a sweep failed")
                due[each] = time.monotonic() + work[each]

    def _for_each(self, job_ids: Iterable[str], work: Callable[[str], None]) -> None:
        """One job's trouble is not the others'. Raises ServiceUnavailable."""
        for job_id in job_ids:
            if self._stopping.is_set():
                return
            try:
                work(job_id)
            except ServiceUnavailable:
                raise
            except (JobNotFound, GroupNotFound):  # another was quicker
                continue
            except Exception:
                log.exception("%s cannot be looked after", job_id)

    def _expire(self) -> None:
        while (expired := self._queue.expire()) != NOTHING_EXPIRED:
            if expired.leases:
                log.warning("%d leases ended without a word from their workers: handed out again", expired.leases)
            if expired.messages:
                log.warning("%d messages reached no worker: handed out again", expired.messages)

    def _end_late(self, job_id: str) -> None:
        self._jobs.fail(job_id, JobFailure("start-timeout", "no worker began the job within its start_timeout"))

    def _end_long(self, job_id: str) -> None:
        self._jobs.fail(job_id, JobFailure("timeout", "the job ran for longer than its timeout"))

    def _take_up(self, job_id: str) -> None:
        """A job that the blob store has as open and Redis has not."""
        try:
            state = self._store.state(job_id)
        except JobNotFound:
            self._restore(job_id)
            return
        if state in FINAL_STATES:  # somebody died on the way to its end
            self._jobs.close(job_id)

    def _restore(self, job_id: str) -> None:
        try:
            self._jobs.restore(job_id)
            log.warning("job %s was unknown to Redis: entered from the blob store", job_id)
        except JobNotFound:  # an upload that is on its way or came to nothing, or a deletion that was interrupted
            if self._store.now_ms() - created_ms(job_id) > GRACE_MS:
                self._jobs.remove(job_id)

    def _mark_or_forget(self, job_id: str) -> None:
        """A job that Redis has as open and the blob store has not."""
        if self._blobs.exists(JobKeys(job_id).job):
            if self._store.state(job_id) not in FINAL_STATES:
                self._blobs.put(JobKeys(job_id).open, b"")
        else:
            self._store.forget(job_id)

    def _enter_anew(self, job_id: str) -> None:
        log.warning("job %s stands still: entered anew from the blob store", job_id)
        self._store.forget(job_id)
        self._take_up(job_id)

    def _delete_if_ended_by(self, job_id: str, last: float) -> None:
        keys = JobKeys(job_id)
        if self._blobs.exists(keys.open):
            return
        try:
            outcome = OutcomeDocument.model_validate_json(self._blobs.get(keys.outcome))
        except BlobNotFound:
            return
        if outcome.finished_ms < last:
            self._jobs.remove(job_id)
            log.info("job %s: deleted, as its results have had their time", job_id)
