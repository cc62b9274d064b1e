"""Idempotency keys: a request that is sent twice makes one job (IETF draft-ietf-httpapi-idempotency-key-header).

A key is reserved in the blob store, with the id that its job will have, before anything else is written. So it survives
whatever dies in between: whoever comes with it again finds the job, or makes it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from core.errors import IdempotencyConflict, IdempotencyInFlight, JobNotFound
from core.jobs.documents import IDEMPOTENCY, IdempotencyDocument
from core.jobs.lifecycle import Jobs
from core.jobs.model import new_job_id, now_ms

IN_FLIGHT_MS = 30_000
"""A request whose job is not there after so long has died."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """job_id: that the request's job has, or shall have. done: whether there is such a job already. blob: its key in
    the blob store, None without an idempotency key."""

    job_id: str
    done: bool = False
    blob: str | None = None


def reserve(jobs: Jobs, owner: str, key: str | None, fingerprint: str) -> Reservation:
    """A job id for a request. fingerprint: tells requests apart.

    Raises IdempotencyConflict where the key was used for another request, IdempotencyInFlight where the first request
    is still being answered, ServiceUnavailable.
    """
    job_id = new_job_id()
    if key is None:
        return Reservation(job_id)
    blob = IDEMPOTENCY + hashlib.sha256(f"{owner}\n{key}".encode()).hexdigest()
    document = IdempotencyDocument(job_id=job_id, fingerprint=fingerprint, created_ms=now_ms())
    if jobs.blobs.put_if_absent(blob, document.model_dump_json().encode()):
        return Reservation(job_id, blob=blob)
    first = IdempotencyDocument.model_validate_json(jobs.blobs.get(blob))
    if first.fingerprint != fingerprint:
        raise IdempotencyConflict("this Idempotency-Key was used for another request: choose a new one for this image")
    try:
        jobs.get(first.job_id)
    except JobNotFound:
        if now_ms() - first.created_ms < IN_FLIGHT_MS:
            raise IdempotencyInFlight("the first request with this Idempotency-Key is still being answered") from None
        return Reservation(first.job_id, blob=blob)
    return Reservation(first.job_id, done=True, blob=blob)
