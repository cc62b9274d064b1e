"""The three steps of an encode: plan, fit a batch, assemble. Knows no Celery.

Each step may run twice, at once or hours apart: the first object written wins, and a step that finds its result
written only passes the job on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from core.codec.codec import assemble, grid_of, rollout_of, work_of
from core.codec.encoder import encode_patches
from core.codec.fit_task import FitHooks, FitProgress
from core.codec.images import ImageLimits, Picture, read_picture
from core.codec.report import make_report
from core.codec.settings import EncodeSettings
from core.errors import BlobNotFound, FitStopped, JobNotFound, ServiceUnavailable
from core.jobs.blobs.base import BlobStore, delete_all
from core.jobs.documents import CandidateDocument, JobDocument, JobKeys, PartDocument, PlanDocument
from core.jobs.messages import VISIBILITY_TIMEOUT, Sender
from core.jobs.model import FINAL_STATES, JobState, now
from core.jobs.store import JobStore
from worker.device import DeviceSpeed
from worker.gather import FitGatherer

log = logging.getLogger("regrow.worker")

PROGRESS_SECONDS = 0.5
WRITE_WAITS = (1.0, 2.0, 4.0, 8.0)

LONGEST_PATCH_SECONDS = VISIBILITY_TIMEOUT / 2
"""A batch that lasts longer than the visibility timeout is handed to a second worker while the first still works."""


@dataclass(frozen=True, slots=True)
class EncodeJob:
    """The steps, with what they work on. stopping: set when this process is asked to end."""

    store: JobStore
    blobs: BlobStore
    sender: Sender
    fitter: FitGatherer
    speed: DeviceSpeed
    batch_seconds: float
    stopping: threading.Event

    def plan(self, job_id: str) -> None:
        """Decide the batches, once and for all, and send one `fit` message for each that is not sent yet."""
        if self.store.state(job_id) in FINAL_STATES:
            return
        self.store.move(job_id, JobState.PLANNING, {"started_at": now(), "started_clock": time.time()})
        keys = JobKeys(job_id)
        picture, settings = self._picture(keys), self._document(keys).settings()
        plan = PlanDocument(batches=self._batches(picture, settings))
        self.blobs.put_if_absent(keys.plan, plan.model_dump_json().encode())
        plan = self._plan(keys)  # an earlier delivery's plan counts, if there was one
        self.store.move(job_id, JobState.FITTING, {"batches_total": len(plan.batches)})
        log.info("job %s: %d batches", job_id, len(plan.batches))
        # An earlier delivery of this message may have sent some of them.
        for batch in range(self.store.batches_sent(job_id), len(plan.batches)):
            self.sender.fit(job_id, batch)
            self.store.note_batches_sent(job_id, batch + 1)

    def fit(self, job_id: str, batch: int) -> None:
        """Fit one batch of patches and store its part. Raises FitStopped when the process is shutting down."""
        if self.store.state(job_id) in FINAL_STATES:
            return
        keys = JobKeys(job_id)
        plan = self._plan(keys)
        if not self.blobs.exists(keys.part(batch)):
            try:
                part = self._fit_part(job_id, batch, plan.batches[batch], keys)
            except FitStopped:
                if self.stopping.is_set():
                    raise
                return  # the job itself has ended
            self._persist(lambda: self.blobs.put_if_absent(keys.part(batch), part.model_dump_json().encode()))
        self._finish_part(job_id, batch, plan)

    def assemble(self, job_id: str) -> None:
        """Write the bundle and its report, and end the job."""
        if self.store.state(job_id) in FINAL_STATES:
            return
        keys = JobKeys(job_id)
        document = self._document(keys)
        picture, settings = self._picture(keys), document.settings()
        plan = self._plan(keys)
        parts = [self._part(keys, batch) for batch in range(len(plan.batches))]
        patches = [[each.candidate() for each in patch] for part in parts for patch in part.patches]
        encoded = assemble(picture, settings, patches)
        report = make_report(
            picture,
            settings,
            encoded,
            patches=len(patches),
            original_bytes=document.source_bytes,
            patch_iterations=sum(part.patch_iterations for part in parts),
            fit_seconds=sum(part.seconds for part in parts),
        )
        self._persist(lambda: self.blobs.put(keys.bundle, encoded.bundle))
        self._persist(lambda: self.blobs.put(keys.report, report.model_dump_json().encode()))
        self.store.move(job_id, JobState.SUCCEEDED, {"psnr": report.psnr, "bytes": report.bytes})
        delete_all(self.blobs, keys.parts)
        log.info("job %s: %.2f dB in %d bytes", job_id, report.psnr, report.bytes)

    def _batches(self, picture: Picture, settings: EncodeSettings) -> list[list[int]]:
        with self.fitter.device():
            size = self.speed.patches_per_batch(
                work_of(picture, settings), rollout_of(settings), self.batch_seconds, limit=LONGEST_PATCH_SECONDS
            )
        indices = list(range(grid_of(picture).count))
        return [indices[start : start + size] for start in range(0, len(indices), size)]

    def _fit_part(self, job_id: str, batch: int, indices: list[int], keys: JobKeys) -> PartDocument:
        picture, settings = self._picture(keys), self._document(keys).settings()
        watch = _Watch(self, job_id, batch)
        start = time.monotonic()
        hooks = FitHooks(should_stop=watch.should_stop, on_progress=watch.on_progress)
        encoded = encode_patches(picture, indices, settings, self.fitter.fit, hooks)
        return PartDocument(
            batch=batch,
            patches=[[CandidateDocument.of(each) for each in patch] for patch in encoded.candidates],
            patch_iterations=encoded.patch_iterations,
            seconds=time.monotonic() - start,
        )

    def _persist(self, write: Callable[[], object]) -> None:
        """Write what took long to make, through a short outage. Raises ServiceUnavailable after a longer one."""
        for wait in WRITE_WAITS:
            try:
                write()
                return
            except ServiceUnavailable as error:
                log.warning("%s; trying again in %.0f s", error, wait)
                self.stopping.wait(wait)
        write()

    def _finish_part(self, job_id: str, batch: int, plan: PlanDocument) -> None:
        if self.store.finish_part(job_id, batch, len(plan.batches[batch])):
            self.sender.assemble(job_id)

    def _document(self, keys: JobKeys) -> JobDocument:
        return JobDocument.model_validate_json(self.blobs.get(keys.job))

    def _picture(self, keys: JobKeys) -> Picture:
        unlimited = ImageLimits(max_side=1 << 31, max_pixels=1 << 62)  # the API checked it against its own limits
        return read_picture(self.blobs.get(keys.source), unlimited)

    def _plan(self, keys: JobKeys) -> PlanDocument:
        return PlanDocument.model_validate_json(self.blobs.get(keys.plan))

    def _part(self, keys: JobKeys, batch: int) -> PartDocument:
        try:
            return PartDocument.model_validate_json(self.blobs.get(keys.part(batch)))
        except BlobNotFound as error:
            raise BlobNotFound(f"the part of batch {batch} is gone") from error


class _Watch:
    """What a running fit asks and tells, at most twice a second. An outage of Redis does not disturb the fit."""

    def __init__(self, job: EncodeJob, job_id: str, batch: int) -> None:
        self._job, self._job_id, self._batch = job, job_id, batch
        self._asked = self._told = 0.0
        self._ended = False

    def should_stop(self) -> bool:
        if time.monotonic() - self._asked >= PROGRESS_SECONDS:
            self._asked = time.monotonic()
            try:
                self._ended = self._job.store.state(self._job_id) in FINAL_STATES
            except JobNotFound:
                self._ended = True
            except ServiceUnavailable:
                log.warning("job %s: Redis cannot be asked whether to go on; going on", self._job_id)
        return self._ended or self._job.stopping.is_set()

    def on_progress(self, progress: FitProgress) -> None:
        if progress.share.min() < 1 and time.monotonic() - self._told < PROGRESS_SECONDS:
            return
        self._told = time.monotonic()
        done, error = float(progress.share.sum()), float(progress.mse.sum())
        try:
            self._job.store.note_progress(self._job_id, self._batch, done, error, len(progress.mse))
        except ServiceUnavailable:
            log.warning("job %s: Redis cannot be told of progress", self._job_id)
