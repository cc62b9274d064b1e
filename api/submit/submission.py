"""Taking an image in: validated before anything is stored, stored before it is queued, removed if queueing fails."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from regrow.api.dependencies import Service
from regrow.api.submit.gone import Gone
from regrow.core.access.principal import Principal
from regrow.core.codec.encode.effort import with_default_effort
from regrow.core.codec.encode.plan import Extent
from regrow.core.codec.encode.pricing import refuse_impossible, unit_cost, units_of
from regrow.core.codec.images import Head, read_head
from regrow.core.codec.options import options_of, settings_of
from regrow.core.codec.reading.prepare import PreparedPicture
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import ImageError, TooBusy
from regrow.core.jobs.documents import JobDocument
from regrow.core.jobs.idempotency import reserve
from regrow.core.jobs.model import Job, OnFailure, Priority
from regrow.core.logs import current_context
from regrow.core.times import now_ms


@dataclass(frozen=True, slots=True)
class Order:
    """What a request asks for beside the picture.

    chooses_effort: whether the effort is to be chosen for the picture, the one in the settings being a stand-in.
    timeout: seconds that the job may run; start_timeout: that it may wait to be begun. webhook: URL that is called at
    the job's end. idempotency_key: of the request. group: id of the group that the job belongs to.
    """

    settings: EncodeSettings
    chooses_effort: bool = True
    priority: Priority = Priority.NORMAL
    on_failure: OnFailure = OnFailure.FAIL
    timeout: float | None = None
    start_timeout: float | None = None
    webhook: str | None = None
    idempotency_key: str | None = None
    group: str | None = None


def look_at(service: Service, data: bytes) -> Head | None:
    """What is known of an image file before it is decoded; None where it is refused, as `submit` will say."""
    try:
        return read_head(data, service.settings.image_limits)
    except ImageError:
        return None


def submit(
    service: Service,
    principal: Principal,
    data: bytes,
    order: Order,
    gone: Gone | None = None,
    head: Head | None = None,
) -> tuple[Job, bool]:
    """Make a job of an image file's bytes; the job, and whether an earlier request with the same key had made it.

    head: of the file, where it is known already.

    Raises ImageError where the file is bad, BudgetTooSmall where no bundle can be as small, TooBusy where too much is
    outstanding, IdempotencyConflict and IdempotencyInFlight, VersionSkew, ServiceUnavailable where the broker or the
    blob store is down, ClientDisconnect where the client goes while its image is decoded. In all cases nothing is
    queued or stored, but for a request with an Idempotency-Key that an outage of the broker meets: its job is made all
    the same, and the same request sent again gets it.
    """
    jobs, limits = service.jobs, service.limits_of(principal)
    reservation = reserve(service.blobs, principal.owner, order.idempotency_key, fingerprint(data, order), jobs.exists)
    if reservation.done:
        return jobs.get(reservation.job_id), True
    try:
        with reservation.kept(service.blobs):
            picture = _checked(service, principal, data, order, gone, head)
            settings = with_default_effort(picture, order.settings) if order.chooses_effort else order.settings
            refuse_impossible(picture, settings)
            document = _document(reservation.job_id, principal.owner, picture, len(data), settings, order)
            jobs.write(document, picture.png)
    except BaseException:
        reservation.free(service.blobs)
        raise
    try:
        jobs.enter(document, limits, keep=reservation.blob is not None)
        return jobs.get(document.id), False
    except TooBusy:
        reservation.free(service.blobs)
        raise
    except Exception:
        if reservation.blob is None:
            jobs.undo(document.id)
        raise


def _checked(
    service: Service, principal: Principal, data: bytes, order: Order, gone: Gone | None, head: Head | None
) -> PreparedPicture:
    """The decoded picture. The checks that cost least come first."""
    limits = service.limits_of(principal)
    head = head or read_head(data, service.settings.image_limits)
    service.workers.check_skew()
    units = units_of(Extent(head.width, head.height), order.settings)
    service.store.check_limits(principal.owner, units, limits)
    return service.preparing.prepare(data, head, principal.owner, gone)


def _document(
    job_id: str, owner: str, picture: PreparedPicture, source_bytes: int, settings: EncodeSettings, order: Order
) -> JobDocument:
    """settings: with the effort that was chosen, if the order left it open. Raises BudgetTooSmall."""
    return JobDocument(
        id=job_id,
        owner=owner,
        created_ms=now_ms(),
        width=picture.width,
        height=picture.height,
        channels=picture.channels,
        colours=picture.colours,
        source_format=picture.source_format,
        source_bytes=source_bytes,
        patches=units_of(picture, settings),
        patch_cost=unit_cost(picture, settings),
        priority=order.priority,
        on_failure=order.on_failure,
        timeout=order.timeout,
        start_timeout=order.start_timeout,
        group=order.group,
        webhook=order.webhook,
        request_id=current_context().get("request_id"),
        **options_of(settings),
    )


def fingerprint(data: bytes, order: Order) -> str:
    """A hash of the file and of the options that are not at their defaults, to compare requests of one Idempotency-Key.

    Defaults are left out so that a release with a new option makes the same hash of an old request.
    """
    plain = settings_of({})
    settings = _unlike(order.settings, plain)
    asked = _unlike(order, Order(plain)) | {"settings": settings, "idempotency_key": None, "group": None}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode() + b"\n" + data).hexdigest()


def _unlike(value: Any, plain: Any) -> dict[str, Any]:
    """The fields of a dataclass that differ from those of another, by name."""
    usual = asdict(plain)
    return {name: field for name, field in asdict(value).items() if field != usual[name]}
