"""Bundles and regrown pictures, for routes: cached, made once at a time, as many at once as there are cores."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import Histogram

from regrow.api.cache import ByteCache
from regrow.core.codec.decode.animation import AnimationKind, write_animation
from regrow.core.codec.decode.decoder import decode_bundle
from regrow.core.codec.decode.view import View
from regrow.core.codec.format.bundle import AnyBundle, read_bundle
from regrow.core.codec.images import ImageLimits
from regrow.core.codec.picture_files import FileKind, write_picture
from regrow.core.errors import BlobNotFound, JobFailed, JobNotFinished, JobNotFound
from regrow.core.jobs.lifecycle import Jobs
from regrow.core.jobs.model import FINAL_STATES, JobState

DECODER = 2
"""Part of every picture's ETag: to be raised when the same bundle comes out as another file."""


PictureKind = FileKind | AnimationKind


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """A job's bundle. data: the file's bytes; parsed: what they mean; digest: their SHA-256, hexadecimal."""

    data: bytes
    parsed: AnyBundle
    digest: str


def _stored(data: bytes) -> StoredBundle:
    return StoredBundle(data, read_bundle(data), hashlib.sha256(data).hexdigest())


class Pictures:
    """Reads bundles and regrows pictures. Thread-safe. seconds: where the time of each is counted, by kind of file."""

    def __init__(self, jobs: Jobs, bundle_bytes: int, picture_bytes: int, seconds: Histogram) -> None:
        self._jobs, self._seconds = jobs, seconds
        # Parsed, a bundle takes about as much again.
        self._bundles: ByteCache[StoredBundle] = ByteCache(bundle_bytes, lambda bundle: 2 * len(bundle.data))
        self._files: ByteCache[bytes] = ByteCache(picture_bytes, len)
        self._cores = threading.BoundedSemaphore(os.cpu_count() or 1)

    @property
    def caches(self) -> Mapping[str, ByteCache[StoredBundle] | ByteCache[bytes]]:
        """The caches by the name that metrics show them under."""
        return {"bundle": self._bundles, "picture": self._files}

    def bundle(self, job_id: str) -> StoredBundle:
        """A job's bundle. Raises JobNotFound, JobNotFinished, JobFailed, ServiceUnavailable."""
        if self._jobs.has_succeeded(job_id):
            try:
                return self._bundles.get(job_id, lambda: _stored(self._jobs.bundle(job_id)))
            except BlobNotFound as error:  # deleted this very moment
                raise JobNotFound(f"there is no job {job_id}") from error
        job = self._jobs.get(job_id)
        if job.state not in FINAL_STATES:
            raise JobNotFinished(f"the job is {job.state}: ask again when it has succeeded")
        if job.state is JobState.SUCCEEDED:  # it ended between the two looks
            return self.bundle(job_id)
        reason = job.error.message if job.error else "no reason is known"
        raise JobFailed(f"the job {job.state}, so there is no picture: {reason}")

    def known(self, bundle: StoredBundle, view: View, kind: PictureKind) -> bytes | None:
        """What `file` would give, if it is cached; None otherwise. Never waits."""
        return self._files.known(_key(bundle, view, kind))

    def file(self, bundle: StoredBundle, view: View, kind: PictureKind) -> bytes:
        """A view, or its growth, as a file. Raises InvalidSettings."""
        view.refuse_impossible(bundle.parsed.header)
        return self._files.get(_key(bundle, view, kind), lambda: self._make(bundle, view, kind))

    def uploaded(self, data: bytes, view: View, kind: FileKind, limits: ImageLimits) -> bytes:
        """A view of a bundle that is not a job's. Raises BundleError, ImageTooLarge, InvalidSettings."""
        bundle = _stored(data)
        limits.check(bundle.parsed.header.width, bundle.parsed.header.height)
        return self._make(bundle, view, kind)

    def _make(self, bundle: StoredBundle, view: View, kind: PictureKind) -> bytes:
        if isinstance(kind, FileKind):
            with self._cores, self._seconds.labels(kind).time():
                return write_picture(decode_bundle(bundle.parsed, view).picture, kind)
        with self._cores, self._seconds.labels(f"growth.{kind}").time():
            return write_animation(bundle.parsed, kind, view.crop, view.scale)


def _key(bundle: StoredBundle, view: View, kind: PictureKind) -> tuple[object, ...]:
    return bundle.digest, view, type(kind), kind  # there are pictures and animations of one name
