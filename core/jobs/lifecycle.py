"""A job's beginning and end in both stores: the blob store, which is the truth, and Redis, the fast view of it.

Between any two of the writes below a process may die. So an empty object `open/<id>` is written before all else of
a job, and removed when all else about its end is done; the sweeper takes up what has one (core.jobs.sweeper).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from regrow.core.errors import BlobNotFound, JobNotFound, JobNotRetryable, RegrowError, ServiceUnavailable, TooBusy
from regrow.core.jobs.dispatcher import Dispatcher
from regrow.core.jobs.documents import JobDocument, JobKeys, OutcomeDocument, patches_of
from regrow.core.jobs.job_webhook import announce_job
from regrow.core.jobs.model import FINAL_STATES, RETRYABLE, Job, JobFailure, JobState
from regrow.core.jobs.store import JobStore, Limits
from regrow.core.stores.blobs import BlobStore, delete_all
from regrow.core.webhooks.deliveries import Deliveries


@dataclass(frozen=True, slots=True)
class Jobs:
    """Jobs in both stores. Methods raise ServiceUnavailable when one cannot be reached.

    dispatcher: sends what there is to do to workers. deliveries: of the webhooks that tell of a job's end.
    """

    store: JobStore
    blobs: BlobStore
    dispatcher: Dispatcher
    deliveries: Deliveries

    def write(self, document: JobDocument, source: bytes) -> None:
        """Store a new job, which `enter` is to follow. source: its picture as PNG.

        What an outage left half done is removed.
        """
        keys = JobKeys(document.id)
        try:
            self.blobs.put(keys.open, b"")
            self.blobs.put(keys.source, source)
            self.blobs.put(keys.job, document.model_dump_json().encode())
        except RegrowError:
            self.undo(document.id)
            raise

    def enter(self, document: JobDocument, limits: Limits, *, keep: bool = False) -> None:
        """Queue a job that is stored. Raises TooBusy; then, as with an outage, nothing of it is left.

        keep: leave what is stored to the sweeper, if Redis does not answer.
        """
        try:
            self.store.enter(document, limits)
        except Exception as error:
            if not keep or isinstance(error, TooBusy):
                self.undo(document.id)
            raise
        self.dispatcher.try_dispatch()

    def get(self, job_id: str) -> Job:
        """What is known of a job, even if Redis has lost it. Raises JobNotFound."""
        try:
            return self.store.get(job_id)
        except JobNotFound:
            self.restore(job_id)
            return self.store.get(job_id)

    def get_many(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """As `get`, of those that there are."""
        found = self.store.get_many(job_ids)
        for job_id in job_ids:
            if job_id not in found:
                with contextlib.suppress(JobNotFound):
                    found[job_id] = self.get(job_id)
        return found

    def exists(self, job_id: str) -> bool:
        """Whether there is such a job, whether or not Redis knows."""
        try:
            self.store.state(job_id)
        except JobNotFound:
            return self.blobs.exists(JobKeys(job_id).outcome)
        return True

    def has_succeeded(self, job_id: str) -> bool:
        """By Redis, or, if it is away or has forgotten, by the blob store: pictures outlive what Redis knows."""
        try:
            return self.store.state(job_id) is JobState.SUCCEEDED
        except (JobNotFound, ServiceUnavailable):
            try:
                outcome = OutcomeDocument.model_validate_json(self.blobs.get(JobKeys(job_id).outcome))
            except BlobNotFound:
                return False
            return outcome.state is JobState.SUCCEEDED

    def owner(self, job_id: str) -> str:
        """Whose job it is, whether or not Redis knows. Raises JobNotFound."""
        try:
            return self.store.owner(job_id)
        except (JobNotFound, ServiceUnavailable):
            try:
                return self.document(job_id).owner
            except BlobNotFound as error:
                raise JobNotFound(f"there is no job {job_id}") from error

    def restore(self, job_id: str) -> None:
        """Enter a job in Redis as the blob store knows it, parts included. Raises JobNotFound."""
        keys = JobKeys(job_id)
        try:
            document = self.document(job_id)
        except BlobNotFound as error:
            raise JobNotFound(f"there is no job {job_id}") from error
        if self.blobs.exists(keys.open):  # even if it has an outcome: that may be of before a retry
            self.store.enter(document, parts=[patches_of(key) for key in self.blobs.list(keys.parts)])
            self.dispatcher.try_dispatch()
            return
        with contextlib.suppress(BlobNotFound):  # without either, it is being deleted
            self.store.enter_ended(document, OutcomeDocument.model_validate_json(self.blobs.get(keys.outcome)))

    def enter_anew(self, job_id: str) -> None:
        """Have Redis forget what it knows of a job, and enter it as the blob store knows it. Raises JobNotFound."""
        self.store.forget(job_id)
        self.restore(job_id)

    def document(self, job_id: str) -> JobDocument:
        """`job.json`. Raises BlobNotFound."""
        return JobDocument.model_validate_json(self.blobs.get(JobKeys(job_id).job))

    def source(self, job_id: str) -> bytes:
        """The picture that was sent, as PNG. Raises BlobNotFound."""
        return self.blobs.get(JobKeys(job_id).source)

    def bundle(self, job_id: str) -> bytes:
        """The encoded picture of a job that has succeeded. Raises BlobNotFound."""
        return self.blobs.get(JobKeys(job_id).bundle)

    def report(self, job_id: str) -> bytes:
        """JSON of core.codec.encode.report.Report, of a job that has succeeded. Raises BlobNotFound."""
        return self.blobs.get(JobKeys(job_id).report)

    def succeed(self, job_id: str, psnr: float, size: int, failed: int = 0) -> None:
        """End a job whose bundle is stored. failed: how many of its patches are flat."""
        self.store.end(job_id, JobState.SUCCEEDED, {"psnr": psnr, "bytes": size, "patches_failed": failed})
        self._close_or_clear(job_id)

    def fail(self, job_id: str, failure: JobFailure) -> None:
        """End a job without a picture, unless it has ended."""
        self.store.fail(job_id, failure)
        self._close_or_clear(job_id)

    def cancel(self, job_id: str) -> bool:
        """End a job at its owner's wish, unless it has ended; whether this call did."""
        cancelled = self.store.end(job_id, JobState.CANCELLED)
        if cancelled or self.blobs.exists(JobKeys(job_id).open):  # or somebody died on the way to its end
            self.close(job_id)
        return cancelled

    def close(self, job_id: str) -> JobState:
        """Bring the blob store to what Redis says of a job that has ended. May be done twice. Raises JobNotFound."""
        job, keys = self.store.get(job_id), JobKeys(job_id)
        if job.state not in FINAL_STATES:
            return job.state
        self.blobs.put(keys.outcome, self.store.outcome(job_id).model_dump_json().encode())
        if job.state is not JobState.SUCCEEDED:
            self.blobs.delete(keys.bundle)
            self.blobs.delete(keys.report)
        if job.state is not JobState.FAILED:  # a retry of a job that failed goes on from its parts
            delete_all(self.blobs, keys.parts)
        delete_all(self.blobs, keys.checkpoints)
        announce_job(self.deliveries, job)
        self.blobs.delete(keys.open)
        return job.state

    def retry(self, job_id: str, limits: Limits) -> None:
        """Queue a job again that failed or was cancelled. Raises JobNotFound, JobNotRetryable, TooBusy."""
        job, keys = self.get(job_id), JobKeys(job_id)
        if job.state not in RETRYABLE:
            raise JobNotRetryable(f"the job is {job.state}: only one that failed or was cancelled can be tried again")
        document = self.document(job_id)
        if document.start_timeout is not None:
            document = document.model_copy(update={"timed_from_ms": self.store.now_ms()})
            self.blobs.put(keys.job, document.model_dump_json().encode())
        self.blobs.put(keys.open, b"")
        self.store.enter(document, limits, parts=[patches_of(key) for key in self.blobs.list(keys.parts)])
        self.blobs.put(keys.open, b"")  # again: a sweeper that found a job that had ended has removed it
        self.blobs.delete(keys.outcome)
        self.dispatcher.try_dispatch()

    def delete(self, job_id: str) -> None:
        """Remove a job and all that is stored of it; if it is on the way it is stopped. Raises JobNotFound."""
        self.get(job_id)
        self.remove(job_id)

    def remove(self, job_id: str) -> None:
        """Remove what there is of a job. A sweeper finishes what an outage interrupts: it finds `open/<id>`."""
        keys = JobKeys(job_id)
        self.blobs.put(keys.open, b"")
        self.blobs.delete(keys.job)  # from here on there is no such job
        self.store.forget(job_id)
        delete_all(self.blobs, keys.prefix)
        self.blobs.delete(keys.open)

    def _close_or_clear(self, job_id: str) -> None:
        """After an end: write it down, or, where the job was deleted meanwhile, leave nothing behind."""
        try:
            self.close(job_id)
        except JobNotFound:
            if not self.blobs.exists(JobKeys(job_id).job):
                delete_all(self.blobs, JobKeys(job_id).prefix)

    def undo(self, job_id: str) -> None:
        """Leave nothing behind, as far as what is still up allows; the sweeper removes the rest."""
        keys = JobKeys(job_id)
        with contextlib.suppress(RegrowError):
            self.store.forget(job_id)
        with contextlib.suppress(RegrowError):
            self.blobs.delete(keys.job)
            delete_all(self.blobs, keys.prefix)
            self.blobs.delete(keys.open)  # last: what has it is looked after
