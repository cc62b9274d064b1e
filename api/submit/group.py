"""Taking a group in: each image becomes a job, or is refused with its reason; the group is written when all are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import IO

from regrow.api.dependencies import Service
from regrow.api.errors import kind_of
from regrow.api.submit.archive import Budget, Upload, UploadLimits, images_in_zip, is_zip, plain_name
from regrow.api.submit.gone import Gone
from regrow.api.submit.submission import Order, fingerprint, submit
from regrow.core.access.principal import Principal
from regrow.core.errors import BudgetTooSmall, ImageError, ImageTooLarge, TooBusy
from regrow.core.jobs.groups import GroupDocument, GroupEntry
from regrow.core.jobs.idempotency import reserve
from regrow.core.times import now_ms

REFUSALS = (ImageError, BudgetTooSmall, TooBusy)
"""Errors that refuse one image and let the others go on; any other error ends the request."""


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file of the request, open for reading. name: as the client sent it, None for a request's whole body."""

    name: str | None
    file: IO[bytes]


def submit_group(
    service: Service, principal: Principal, files: list[UploadedFile], order: Order, gone: Gone | None = None
) -> tuple[GroupDocument, bool]:
    """Make a group of uploaded images and archives; it, and whether an earlier request with the same key had made it.

    An image that is refused is an entry of the group; where all are, nothing is stored. Raises ImageError where an
    archive as a whole is bad or there are too many images, IdempotencyConflict, IdempotencyInFlight, VersionSkew,
    ServiceUnavailable, ClientDisconnect where the client goes before all images are taken in; then no job is left.
    """
    key = None if order.idempotency_key is None else f"group {order.idempotency_key}"  # not the same image's, alone
    reservation = reserve(service.blobs, principal.owner, key, _fingerprint(files, order), service.groups.exists)
    if reservation.done:
        return service.groups.get(reservation.job_id), True
    one = replace(order, webhook=None, idempotency_key=None, group=reservation.job_id)
    made: list[GroupEntry] = []
    limits = service.settings.upload_limits
    budget = Budget(limits.in_all)
    try:
        with reservation.kept(service.blobs):
            for upload in _uploads(files, limits, budget):
                made.append(_entry(service, principal, upload, one, gone))
        document = GroupDocument(
            id=reservation.job_id,
            owner=principal.owner,
            created_ms=now_ms(),
            webhook=order.webhook,
            entries=tuple(made),
            left_out=budget.left_out,
        )
        if not any(entry.job_id for entry in made):
            reservation.free(service.blobs)
            return document, False
        service.groups.write(document)
    except BaseException:
        for entry in made:
            if entry.job_id is not None:
                service.jobs.undo(entry.job_id)
        reservation.free(service.blobs)
        raise
    return document, False


def _entry(service: Service, principal: Principal, upload: Upload, order: Order, gone: Gone | None) -> GroupEntry:
    try:
        if isinstance(upload.data, ImageError):
            raise upload.data
        job, _ = submit(service, principal, upload.data, order, gone)
        return GroupEntry(name=upload.name, job_id=job.id)
    except REFUSALS as error:
        return GroupEntry(name=upload.name, error_type=kind_of(error).type, error_message=str(error))


def _uploads(files: Iterable[UploadedFile], limits: UploadLimits, budget: Budget) -> Iterator[Upload]:
    """The images of all files. Raises ImageTooLarge where there are too many, or too many bytes in all."""
    found = chain.from_iterable(_images(each, limits, budget) for each in files)
    for number, upload in enumerate(found):
        if number == limits.images:
            raise ImageTooLarge(f"too many images at once: send at most {limits.images}, and the rest in another group")
        yield upload


def _images(each: UploadedFile, limits: UploadLimits, budget: Budget) -> Iterator[Upload]:
    each.file.seek(0)
    start = each.file.read(4)
    if is_zip(start):
        yield from images_in_zip(each.file, limits, budget)
        return
    data = start + each.file.read(limits.image_bytes + 1 - len(start))
    too_large = ImageTooLarge(f"the file has more than {limits.image_bytes} bytes")
    yield Upload(plain_name(each.name), data if len(data) <= limits.image_bytes else too_large)


def _fingerprint(files: Iterable[UploadedFile], order: Order) -> str:
    digest = hashlib.sha256()
    for each in files:
        each.file.seek(0)
        digest.update(hashlib.file_digest(each.file, "sha256").digest())  # type: ignore[arg-type]  # has readinto, as all files
    return fingerprint(b"group" + digest.digest(), order)
