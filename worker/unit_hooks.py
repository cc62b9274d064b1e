"""What a running fit asks and tells, and what it leaves for whoever goes on with it if this process is killed."""

from __future__ import annotations

import contextlib
import logging
import threading
import time

from regrow.core.codec.fit.checkpoint import Checkpoints
from regrow.core.codec.fit.task import FitProgress
from regrow.core.errors import BlobNotFound, ServiceUnavailable
from regrow.core.jobs.documents import JobKeys
from regrow.core.jobs.work_unit import MOST_TRIES
from regrow.core.stores.blobs import BlobStore
from regrow.worker.leases import Hold, Leases

log = logging.getLogger("regrow.worker")

TELL_SECONDS = 0.5
"""Between two words on a unit's progress."""

FIRST_SECONDS = 1.0
"""From the first look at a fit to its first checkpoint."""


class UnitHooks:
    """What the fit of one work unit asks and tells. An outage of Redis or of the blob store does not disturb it."""

    def __init__(
        self, hold: Hold, leases: Leases, blobs: BlobStore, checkpoint_seconds: float, stopping: threading.Event
    ) -> None:
        self._hold, self._leases, self._blobs, self._stopping = hold, leases, blobs, stopping
        self._checkpoint_seconds = checkpoint_seconds
        self._key = JobKeys(hold.unit.job_id).checkpoint(hold.unit.patches)
        self._told = 0.0
        self._due_at: float | None = None
        self._far = 0
        self.resumed = False

    def should_stop(self) -> bool:
        """For FitHooks: whether the unit is another's now, or this process is to end."""
        self._hold.touch()
        return self._hold.lost or self._stopping.is_set()

    def on_progress(self, progress: FitProgress) -> None:
        """For FitHooks: tell Redis how far the unit is, every so often."""
        self._far = int(1e6 * progress.share.mean())
        if time.monotonic() - self._told < TELL_SECONDS:
            return
        self._told = time.monotonic()
        try:
            self._leases.queue.note_progress(self._hold.unit, float(progress.share.sum()))
        except ServiceUnavailable:
            log.warning("Redis cannot be told of progress")

    def checkpoints(self) -> Checkpoints[bytes]:
        """What an earlier try has left, and where to leave more. The last try starts without: it may be what kills."""
        resume = None
        if self._hold.unit.tries < MOST_TRIES:
            with contextlib.suppress(BlobNotFound):
                resume = self._blobs.get(self._key)
        self.resumed = resume is not None
        return Checkpoints(resume, self._due, self._save)

    def _due(self) -> bool:
        """The first comes early: a batch that has begun is no poison, whatever becomes of its worker."""
        if self._due_at is None:
            self._due_at = time.monotonic() + min(FIRST_SECONDS, self._checkpoint_seconds)
        return time.monotonic() >= self._due_at

    def _save(self, data: bytes) -> None:
        self._due_at = time.monotonic() + self._checkpoint_seconds
        if self._hold.lost:
            return
        try:
            self._blobs.put(self._key, data)
            self._leases.progressed(self._hold, self._far)
        except ServiceUnavailable as error:
            log.warning("%s; no checkpoint was left", error)
