"""The work units of an encode: fit some patches, assemble the bundle, give up what cannot be done. Knows no Celery.

Each may run twice, at once or hours apart: the first object written wins, and a unit that finds its result written
only counts it.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from regrow.core.codec.encode.encoder import PatchEncoder
from regrow.core.codec.encode.pricing import trains
from regrow.core.codec.encode.report import make_report
from regrow.core.codec.encode.units import document_of, unit_of
from regrow.core.codec.encode.work import assemble, encode_units, flat_unit
from regrow.core.codec.fit.checkpoint import Checkpoints
from regrow.core.codec.fit.task import FitHooks
from regrow.core.errors import BlobNotFound, BudgetTooSmall, FitStopped, JobNotFound, ServiceUnavailable, UnfitStore
from regrow.core.jobs.counters import Counters
from regrow.core.jobs.documents import JobKeys, PartDocument, patches_of
from regrow.core.jobs.lifecycle import Jobs
from regrow.core.jobs.model import FINAL_STATES, JobFailure, JobState, OnFailure
from regrow.core.jobs.store import JobStore
from regrow.core.jobs.work_unit import MOST_TRIES, UnitKind
from regrow.core.logs import log_context
from regrow.core.stores.blobs import BlobStore
from regrow.worker.leases import Hold, Leases
from regrow.worker.source_cache import Source, Sources
from regrow.worker.speed import Speed
from regrow.worker.unit_hooks import UnitHooks

log = logging.getLogger("regrow.worker")

WRITE_WAITS = (1.0, 2.0, 4.0, 8.0)
READERS, READ_AT_ONCE = 16, 256
"""Threads that read parts, and how many parts between two signs of life."""


@dataclass(frozen=True, slots=True)
class EncodeJob:
    """Does work units.

    jobs, store, blobs, counters: core.jobs.wiring.Backend's. leases: the units in hand. sources: decoded pictures.
    encode: fits what is trained. speed: learns from it. checkpoint_seconds: how much fitting a kill may cost at most.
    stopping: set when this process is asked to end.
    """

    jobs: Jobs
    store: JobStore
    blobs: BlobStore
    leases: Leases
    sources: Sources
    counters: Counters
    encode: PatchEncoder
    speed: Speed
    checkpoint_seconds: float
    stopping: threading.Event

    def run(self, hold: Hold) -> None:
        """Do a unit that was claimed. Raises FitStopped when it must not go on, or the process is to end."""
        job_id = hold.unit.job_id
        try:
            if hold.unit.kind is UnitKind.ABANDON:
                self._abandon(hold)
                return
            source = self.sources.get(job_id)
            with log_context(request_id=source.document.request_id):
                log.info("%s begins", hold.unit.name)
                work = self._fit if hold.unit.kind is UnitKind.FIT else self._assemble
                work(hold, source)
        except (BlobNotFound, JobNotFound):
            self._end_without_blobs(job_id)
        except BudgetTooSmall as error:
            self.jobs.fail(job_id, JobFailure("budget-too-small", str(error)))

    def _fit(self, hold: Hold, source: Source) -> None:
        unit, keys = hold.unit, JobKeys(hold.unit.job_id)
        try:
            # There where somebody died between storing it and counting it.
            part = PartDocument.model_validate_json(self.blobs.get(keys.part(unit.patches)))
        except BlobNotFound:
            part = self._fit_part(hold, source)
        self._store_part(hold, part)
        self.counters.batch_done(part.seconds, part.patch_iterations)
        if trains(source.settings):
            self.blobs.delete(keys.checkpoint(unit.patches))

    def _fit_part(self, hold: Hold, source: Source) -> PartDocument:
        unit, settings = hold.unit, source.settings
        unit_hooks = UnitHooks(hold, self.leases, self.blobs, self.checkpoint_seconds, self.stopping)
        hooks = FitHooks(should_stop=unit_hooks.should_stop, on_progress=unit_hooks.on_progress)
        checkpoints = unit_hooks.checkpoints() if trains(settings) else Checkpoints()
        start = time.monotonic()
        encoded = encode_units(source.picture, unit.patches, settings, hooks, checkpoints, self.encode)
        seconds = time.monotonic() - start
        if trains(settings) and not unit_hooks.resumed:
            self.speed.learn(len(unit.patches) * source.document.patch_cost, encoded.patch_iterations, seconds)
        return PartDocument(
            start=unit.start,
            stop=unit.stop,
            patches=[document_of(each) for each in encoded.units],
            patch_iterations=encoded.patch_iterations,
            seconds=seconds,
        )

    def _store_part(self, hold: Hold, part: PartDocument) -> None:
        key = JobKeys(hold.unit.job_id).part(hold.unit.patches)
        if self._has_ended(hold.unit.job_id):
            return
        self._persist(lambda: self.blobs.put_if_absent(key, part.model_dump_json().encode()))
        if self.leases.queue.finish(hold.unit, failed=part.failed):
            return
        if self._state(hold.unit.job_id) is not JobState.FAILED:  # cancelled or deleted meanwhile
            self.blobs.delete(key)

    def _assemble(self, hold: Hold, source: Source) -> None:
        """Write the bundle and its report, and end the job."""
        job_id = hold.unit.job_id
        document, settings, keys = source.document, source.settings, JobKeys(job_id)
        parts = self._parts(keys, hold)
        chosen_parts = _part_of_each_patch(parts)
        if len(chosen_parts) < document.patches:
            log.warning("parts are missing; they are made again")
            self.jobs.enter_anew(job_id)
            return
        units = [unit_of(part.patches[number - part.start]) for number, part in sorted(chosen_parts.items())]
        used = list({(part.start, part.stop): part for part in chosen_parts.values()}.values())
        self._go_on(hold)
        encoded = assemble(source.picture, settings, units)
        self._go_on(hold)
        report = make_report(
            source.picture,
            settings,
            encoded,
            original_bytes=document.source_bytes,
            patch_iterations=sum(part.patch_iterations for part in used),
            device_seconds=sum(part.seconds for part in used),
            elapsed_seconds=self._elapsed(job_id),
            colours=document.colours,
            source_format=document.source_format,
            go_on=lambda: self._go_on(hold),
        )
        if self._has_ended(job_id):
            return
        failed = sum(part.failed for part in used)
        self._persist(lambda: self.blobs.put(keys.bundle, encoded.bundle))
        self._persist(lambda: self.blobs.put(keys.report, report.model_dump_json().encode()))
        self._persist(lambda: self.jobs.succeed(job_id, report.psnr, report.bytes, failed))
        self.sources.drop(job_id)
        log.info("%.2f dB in %d bytes", report.psnr, report.bytes)

    def _abandon(self, hold: Hold) -> None:
        """Give up one patch, which becomes flat if the job asked for that, or the whole job.

        Does not touch the picture where it need not: it may be the picture that cannot be read.
        """
        unit, document = hold.unit, self.jobs.document(hold.unit.job_id)
        failure = self.store.last_failure(unit.job_id)
        if unit.stop == 0 or document.on_failure is OnFailure.FAIL or unit.tries > MOST_TRIES:
            what = f"patch {unit.start} could not be fitted" if unit.stop else "the bundle could not be assembled"
            self.jobs.fail(unit.job_id, JobFailure(failure.type, f"{what}: {failure.message}"))
            return
        source = self.sources.get(unit.job_id)
        log.warning("patch %d becomes flat: %s", unit.start, failure.message)
        flat = document_of(flat_unit(source.picture, unit.start, source.settings))
        part = PartDocument(start=unit.start, stop=unit.stop, patches=[flat], failed=1, patch_iterations=0, seconds=0.0)
        self._store_part(hold, part)

    def _parts(self, keys: JobKeys, hold: Hold) -> list[PartDocument]:
        """All parts that are stored, by their first patch."""
        stored, parts = sorted(self.blobs.list(keys.parts), key=lambda key: patches_of(key).start), []
        with ThreadPoolExecutor(READERS) as pool:
            for first in range(0, len(stored), READ_AT_ONCE):
                self._go_on(hold)
                found = pool.map(self.blobs.get, stored[first : first + READ_AT_ONCE])
                parts += [PartDocument.model_validate_json(data) for data in found]
        return parts

    def _go_on(self, hold: Hold) -> None:
        """Give a sign of life. Raises FitStopped where the unit must not go on."""
        hold.touch()
        if hold.lost or self.stopping.is_set():
            raise FitStopped("the assembly was asked to stop")

    def _persist(self, write: Callable[[], object]) -> None:
        """Write what took long to make, through a short outage. Raises ServiceUnavailable after a longer one."""
        for wait in (*WRITE_WAITS, math.inf):
            try:
                write()
                return
            except ServiceUnavailable as error:
                if math.isinf(wait) or self.stopping.is_set() or isinstance(error, UnfitStore):
                    raise
                log.warning("%s; trying again in %.0f s", error, wait)
                self.stopping.wait(wait)

    def _end_without_blobs(self, job_id: str) -> None:
        """Something of the job is missing: it was deleted, or the store has lost it."""
        if self.blobs.exists(JobKeys(job_id).job):
            self.jobs.fail(job_id, JobFailure("blobs-missing", "the blob store has lost part of the job"))
        else:
            log.warning("the job is gone: its step is dropped")
            self.store.forget(job_id)

    def _elapsed(self, job_id: str) -> float | None:
        """Seconds since a worker began the job, as far as Redis remembers."""
        try:
            started = self.store.get(job_id).started_ms
        except JobNotFound:
            return None
        return None if started is None else (self.store.now_ms() - started) / 1000

    def _has_ended(self, job_id: str) -> bool:
        """Whether the job has ended, or was deleted."""
        return self._state(job_id) in (None, *FINAL_STATES)

    def _state(self, job_id: str) -> JobState | None:
        try:
            return self.store.state(job_id)
        except JobNotFound:
            return None


def _part_of_each_patch(parts: Sequence[PartDocument]) -> dict[int, PartDocument]:
    """By patch. Of two parts that have it, either has the same result, unless one of them gave the patch up."""
    by_worth = sorted(parts, key=lambda part: part.failed, reverse=True)
    return {patch: part for part in by_worth for patch in range(part.start, part.stop)}
