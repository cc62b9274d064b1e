"""`POST /encode`."""

from __future__ import annotations

import contextlib
import re
import time
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from regrow.api.access import Caller
from regrow.api.asgi.prefix import below_prefix
from regrow.api.bodies.jobs import JobBody
from regrow.api.dependencies import Service, ServiceDependency
from regrow.api.responses import problems
from regrow.api.routes.jobs import POLL_SECONDS
from regrow.api.submit.gone import while_connected
from regrow.api.submit.options import (
    FILE,
    IMAGE_TYPES,
    EncodeOptions,
    IdempotencyKey,
    body_schema,
    open_form,
    with_fields,
)
from regrow.api.submit.preparing import is_large
from regrow.api.submit.submission import look_at, submit
from regrow.core.errors import ServiceUnavailable, UnsupportedImage
from regrow.core.jobs.model import FINAL_STATES, Job

router = APIRouter(tags=["encode"])

MOST_WAIT_SECONDS = 60
LOOK_SECONDS = 2.0
"""Between looks at whether the client is still there."""


@router.post(
    "/encode",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        **problems(400, 408, 409, 413, 415, 422, 429, 503, 507),
        200: {"model": JobBody, "description": "The job was waited for, and has ended"},
    },
    openapi_extra=body_schema({"image": FILE}, IMAGE_TYPES),
)
async def encode(
    request: Request,
    response: Response,
    service: ServiceDependency,
    principal: Caller,
    options: Annotated[EncodeOptions, Query()],
    idempotency_key: IdempotencyKey = None,
    prefer: Annotated[str | None, Header(description="`wait=N`: answer when the job has ended, or after N s")] = None,
) -> JobBody:
    """Encode one image: the raw file as the body, or multipart with the file as `image`.

    Options are query parameters, or form fields in a multipart body. Answers at once: follow the job at `Location`.
    With `Prefer: wait=N` (RFC 7240) answers 200 with the job if it ends within N seconds, at most 60. With an
    Idempotency-Key, the same request sent again within a day answers with the job that the first one made.
    """
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        async with open_form(request, max_files=1) as form:
            image = next((value for value in form.values() if isinstance(value, UploadFile)), None)
            if image is None:
                raise UnsupportedImage("the form has no file: send the image as a file in a field named image")
            data, options = await image.read(), with_fields(options, form)
    else:
        data = await request.body()
    order = options.order(idempotency_key, service.settings.webhook_networks)
    slots = service.slots
    head = await run_in_threadpool(look_at, service, data)
    turns = slots.large if head and is_large(head) else slots.uploads
    job, replayed = await while_connected(
        request, lambda gone: turns.run(principal.owner, partial(submit, service, principal, data, order, gone, head))
    )
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = below_prefix(f"/jobs/{job.id}")
    seconds = _seconds_to_wait(prefer)
    if seconds:
        response.headers["Preference-Applied"] = f"wait={seconds}"
        job = await _wait(request, service, job, seconds)
    if seconds and job.state in FINAL_STATES:
        response.status_code = HTTPStatus.OK
    else:  # a replay too: it is the answer that the first request got
        response.headers["Retry-After"] = str(POLL_SECONDS)
    return JobBody.of(job)


def _seconds_to_wait(prefer: str | None) -> int:
    """What `Prefer` asks for, within limits; 0 where it asks for nothing that is known."""
    found = re.search(r"(?:^|[,;\s])wait=(\d{1,9})\b", prefer or "", re.IGNORECASE)
    return min(int(found.group(1)), MOST_WAIT_SECONDS) if found else 0


async def _wait(request: Request, service: Service, job: Job, seconds: int) -> Job:
    """The job when it has ended, or as it is after so many seconds, or now where too many wait or the client left."""
    deadline, last_id = time.monotonic() + seconds, "0-0"
    with contextlib.suppress(ServiceUnavailable), service.events.following(job.owner):
        while job.state not in FINAL_STATES and (left := deadline - time.monotonic()) > 0:
            events = await service.events.after(job.id, last_id, min(left, LOOK_SECONDS))
            if not events and await request.is_disconnected():
                break
            last_id = events[-1].id if events else last_id
            job = await run_in_threadpool(service.jobs.get, job.id)
    return job
