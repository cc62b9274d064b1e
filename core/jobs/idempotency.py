"""Idempotency keys: a request that is sent twice makes one job (IETF draft-ietf-httpapi-idempotency-key-header).

A key is reserved in the blob store, with the id that its job will have, before anything else is written. So it survives
whatever dies in between: whoever comes with it again finds the job, or makes it. It is remembered for the day and the
next. A request that is still being answered says so every 20 s, however long it waits or works.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from regrow.core.errors import BlobNotFound, IdempotencyConflict, IdempotencyInFlight, ServiceUnavailable
from regrow.core.jobs.documents import IDEMPOTENCY, IdempotencyDocument
from regrow.core.jobs.model import new_job_id
from regrow.core.stores.blobs import BlobStore
from regrow.core.times import iso, now_ms

IN_FLIGHT_MS = 60_000
"""A request whose job is not there so long after it last said that it is being answered has died."""

RENEW_SECONDS = 20.0
"""Between two such signs: of three in a row, two may fail."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """job_id: that the request's job has, or shall have. done: whether there is such a job already. blob: its key in
    the blob store, None without an idempotency key. fingerprint: of the request."""

    job_id: str
    done: bool = False
    blob: str | None = None
    fingerprint: str = ""

    @contextlib.contextmanager
    def kept(self, blobs: BlobStore) -> Iterator[None]:
        """Within it, others hear that the request is still being answered, for as long as this process lives.

        Raises ServiceUnavailable where the system gives no thread for it.
        """
        if self.blob is None:
            yield
            return
        ended = threading.Event()

        def renew(blob: str) -> None:
            while not ended.wait(RENEW_SECONDS):
                document = IdempotencyDocument(job_id=self.job_id, fingerprint=self.fingerprint, created_ms=now_ms())
                with contextlib.suppress(ServiceUnavailable):  # the next may be heard
                    blobs.put(blob, document.model_dump_json().encode())

        thread = threading.Thread(target=renew, args=(self.blob,), name="idempotency-key", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise ServiceUnavailable(f"no thread could be started for the Idempotency-Key: {error}") from error
        try:
            yield
        finally:
            ended.set()
            thread.join()  # what comes next may free the key, after which nothing may be written

    def free(self, blobs: BlobStore) -> None:
        """Let the key be used again, as far as what is up allows: nothing was made of it."""
        if self.blob is not None:
            with contextlib.suppress(BlobNotFound, ServiceUnavailable):
                if IdempotencyDocument.model_validate_json(blobs.get(self.blob)).job_id == self.job_id:
                    blobs.delete(self.blob)


def reserve(
    blobs: BlobStore, owner: str, key: str | None, fingerprint: str, exists: Callable[[str], bool]
) -> Reservation:
    """An id for what a request makes. fingerprint: tells requests apart. exists: whether what has an id was made.

    Raises IdempotencyConflict where the key was used for another request, IdempotencyInFlight where the first request
    is still being answered, UnfitStore where two requests might each reserve a key, ServiceUnavailable.
    """
    blobs.check_fit()
    document = IdempotencyDocument(job_id=new_job_id(), fingerprint=fingerprint, created_ms=now_ms())
    if key is None:
        return Reservation(document.job_id)
    name = hashlib.sha256(f"{owner}\n{key}".encode()).hexdigest()
    today, yesterday = (f"{IDEMPOTENCY}{day}/{name}" for day in days(document.created_ms))
    blob = yesterday if blobs.exists(yesterday) else today
    while not blobs.put_if_absent(blob, document.model_dump_json().encode()):
        first = _find(blobs, blob)
        if first is None:  # it was freed this very moment
            raise IdempotencyInFlight("the first request with this Idempotency-Key has just failed: send it again")
        known = _again(first, blob, document, exists)
        if known is not None:
            return known
        blob = f"{blob}-after-{first.job_id}"  # the first has died: of those who follow, one reserves
    return Reservation(document.job_id, blob=blob, fingerprint=fingerprint)


def days(now: int) -> tuple[str, str]:
    """Today and yesterday, as in the names of reservations. now: milliseconds since 1970."""
    return iso(now)[:10], iso(now - 24 * 3600 * 1000)[:10]


def _find(blobs: BlobStore, blob: str) -> IdempotencyDocument | None:
    try:
        return IdempotencyDocument.model_validate_json(blobs.get(blob))
    except BlobNotFound:
        return None


def _again(
    first: IdempotencyDocument, blob: str, document: IdempotencyDocument, exists: Callable[[str], bool]
) -> Reservation | None:
    """What a request gets whose key was reserved before; None where whoever did so has died."""
    if first.fingerprint != document.fingerprint:
        raise IdempotencyConflict("this Idempotency-Key was used for another request: choose a new one for this one")
    if first.job_id == document.job_id:  # our own writing, of which the answer was lost
        return Reservation(first.job_id, blob=blob, fingerprint=first.fingerprint)
    if exists(first.job_id):
        return Reservation(first.job_id, done=True, blob=blob)
    if now_ms() - first.created_ms < IN_FLIGHT_MS:
        raise IdempotencyInFlight("the first request with this Idempotency-Key is still being answered")
    return None
