"""What is asked for, and of which picture, kept for the jobs that this worker is in: a job comes in many batches."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from regrow.core.codec.images import ImageLimits, Picture, read_picture
from regrow.core.codec.settings import EncodeSettings
from regrow.core.jobs.documents import JobDocument, JobKeys
from regrow.core.stores.blobs import BlobStore

MOST_BYTES = 1 << 30

_UNLIMITED = ImageLimits(max_side=1 << 31, max_pixels=1 << 62)  # the API checked it against its own limits


@dataclass(frozen=True, slots=True)
class Source:
    """document: what was asked for. picture: of which, decoded."""

    document: JobDocument
    picture: Picture

    @property
    def settings(self) -> EncodeSettings:
        """How it is to be encoded."""
        return self.document.settings()


class Sources:
    """A cache of decoded sources, by job; thread-safe. Its pictures take at most `most_bytes`, or are one."""

    def __init__(self, blobs: BlobStore, most_bytes: int = MOST_BYTES) -> None:
        self._blobs, self._most_bytes = blobs, most_bytes
        self._known: OrderedDict[str, Source] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, job_id: str) -> Source:
        """Raises BlobNotFound where the job was deleted, ServiceUnavailable."""
        with self._lock:
            if job_id not in self._known:
                self._known[job_id] = self._read(job_id)
            self._known.move_to_end(job_id)
            found = self._known[job_id]
            while len(self._known) > 1 and self._bytes() > self._most_bytes:
                self._known.popitem(last=False)
        return found

    def drop(self, job_id: str) -> None:
        """Forget a job, as it has ended."""
        with self._lock:
            self._known.pop(job_id, None)

    def _read(self, job_id: str) -> Source:
        keys = JobKeys(job_id)
        document = JobDocument.model_validate_json(self._blobs.get(keys.job))
        return Source(document, read_picture(self._blobs.get(keys.source), _UNLIMITED))

    def _bytes(self) -> int:
        return sum(source.picture.pixels.nbytes for source in self._known.values())
