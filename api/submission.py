"""Taking an image in: validated before anything is stored, stored before it is queued, removed if queueing fails."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from api.dependencies import Service
from core.access.principal import Principal
from core.codec.budget import grid_of, patch_cost
from core.codec.images import Picture, read_picture
from core.codec.settings import EncodeSettings
from core.errors import RegrowError, TooBusy
from core.jobs.documents import JobDocument
from core.jobs.idempotency import Reservation, reserve
from core.jobs.model import Job, OnFailure, Priority, now_ms
from core.logs import current_context


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for beside the picture. timeout: seconds; idempotency_key: None for none; group: that the job
    belongs to; webhook: where to tell that it has ended."""

    settings: EncodeSettings
    priority: Priority = Priority.NORMAL
    on_failure: OnFailure = OnFailure.FAIL
    timeout: float | None = None
    webhook: str | None = None
    idempotency_key: str | None = None
    group: str | None = None


def submit(service: Service, principal: Principal, data: bytes, order: Order) -> tuple[Job, bool]:
    """Make a job of an image file's bytes; the job, and whether an earlier request with the same key had made it.

    Raises ImageError where the file is bad, BudgetTooSmall where no bundle can be as small, TooBusy where too much is
    outstanding, IdempotencyConflict and IdempotencyInFlight, VersionSkew, ServiceUnavailable where the broker or the
    blob store is down; in all cases nothing is queued or stored.
    """
    picture = read_picture(data, service.settings.image_limits)
    cost = patch_cost(picture, order.settings)
    service.workers.check_skew()
    jobs, limits = service.jobs, service.limits_of(principal)
    jobs.store.check_limits(principal.owner, grid_of(picture).count, limits)  # before its megabytes are written
    reservation = reserve(jobs, principal.owner, order.idempotency_key, fingerprint(data, order))
    if reservation.done:
        return jobs.get(reservation.job_id), True
    document = _document(reservation.job_id, principal.owner, picture, len(data), cost, order)
    keep = reservation.blob is not None
    try:
        jobs.write(document, picture.to_png())
    except RegrowError:
        free(service, reservation)
        raise
    try:
        jobs.enter(document, limits, keep=keep)
    except TooBusy:
        free(service, reservation)
        raise
    return jobs.get(reservation.job_id), False


def free(service: Service, reservation: Reservation) -> None:
    """Let the key be used again: nothing was made of it. (Where Redis did not answer, something may have been.)"""
    if reservation.blob is not None:
        with contextlib.suppress(RegrowError):
            service.jobs.blobs.delete(reservation.blob)


def _document(job_id: str, owner: str, picture: Picture, source_bytes: int, cost: float, order: Order) -> JobDocument:
    settings = order.settings
    return JobDocument(
        id=job_id,
        owner=owner,
        created_ms=now_ms(),
        width=picture.width,
        height=picture.height,
        channels=picture.channels,
        source_bytes=source_bytes,
        patches=grid_of(picture).count,
        patch_cost=cost,
        priority=order.priority,
        on_failure=order.on_failure,
        timeout=order.timeout,
        group=order.group,
        webhook=order.webhook,
        request_id=current_context().get("request_id"),
        preset=settings.preset,
        effort=settings.effort,
        seed=settings.seed,
        seed_number=settings.seed_number,
        coder=settings.coder,
        target_psnr=settings.target_psnr,
        max_bytes=settings.max_bytes,
    )


def fingerprint(data: bytes, order: Order) -> str:
    """Of what was asked for, as far as it is not what everybody gets: a new option leaves it as it is."""
    settings = _unlike(order.settings, EncodeSettings())
    asked = _unlike(order, Order(EncodeSettings())) | {"settings": settings, "idempotency_key": None, "group": None}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode() + b"\n" + data).hexdigest()


def _unlike(value: Any, plain: Any) -> dict[str, Any]:
    """The fields of a dataclass that are not as in another."""
    usual = asdict(plain)
    return {name: field for name, field in asdict(value).items() if field != usual[name]}
