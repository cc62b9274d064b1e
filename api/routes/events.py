"""`/jobs/<id>/events`: a job's changes as they happen, as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from starlette.concurrency import run_in_threadpool

from regrow.api.access import Caller, JobId, who
from regrow.api.bodies.jobs import JobBody
from regrow.api.dependencies import Service, ServiceDependency
from regrow.api.responses import problems
from regrow.core.access.principal import Principal
from regrow.core.errors import JobNotFound, ServiceUnavailable
from regrow.core.jobs.events import JobEvent, milliseconds_of
from regrow.core.jobs.model import FINAL_STATES, JobState, phase_of

router = APIRouter(tags=["jobs"])

PING_SECONDS = 15.0
"""Between signs of life, so that proxies keep the connection."""

RECONNECT_MS = 2000
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would hold events back


@router.get(
    "/jobs/{id}/events",
    response_class=StreamingResponse,
    responses={
        **problems(404, 422, 503),
        200: {"content": {"text/event-stream": {}}, "description": "Events, until the job has ended"},
        204: {"description": "The job has ended, and the client has seen that: do not connect again"},
    },
)
async def follow_job(
    request: Request,
    job_id: JobId,
    principal: Caller,
    service: ServiceDependency,
    last_event_id: Annotated[str | None, Header(pattern=r"^\d{1,15}-\d{1,15}$", description="Go on after it")] = None,
) -> Response:
    """Follow a job. An event `state` says that its state is another, `progress` that it came further; both carry the
    job as `GET /jobs/{id}` does. The last is that of its end, or `deleted`; then the connection is closed.
    """
    job = await run_in_threadpool(_body, service, job_id)
    if last_event_id is not None and _has_seen_end(job, last_event_id):
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=HEADERS)
    text = _text(service, principal, job_id, last_event_id, lambda: who(request, service) == principal)
    return StreamingResponse(text, media_type="text/event-stream", headers=HEADERS)


def _body(service: Service, job_id: str) -> JobBody:
    return JobBody.of(service.jobs.get(job_id))


def _has_seen_end(job: JobBody, last_event_id: str) -> bool:
    return job.finished_at is not None and milliseconds_of(last_event_id) >= _milliseconds(job.finished_at)


def _milliseconds(when: str) -> int:
    return round(datetime.fromisoformat(when).timestamp() * 1000)


async def _text(
    service: Service, principal: Principal, job_id: str, last: str | None, is_welcome: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """What is sent. An outage, too many followers, or the end of the key, ends it: the client comes again."""
    try:
        with service.events.following(principal.owner):
            yield f"retry: {RECONNECT_MS}\n\n".encode()
            async for chunk in _follow(service, job_id, last):
                if not is_welcome():
                    return
                yield chunk
    except ServiceUnavailable:
        yield b": the service is busy, come again\n\n"


async def _follow(service: Service, job_id: str, last: str | None) -> AsyncIterator[bytes]:
    last_id = last or await service.events.last_id(job_id)  # before the job is read: no change is missed
    try:
        job = await run_in_threadpool(_body, service, job_id)
        if last is None or job.state in FINAL_STATES:
            yield _snapshot(job, last_id)
        shown = job.state if last is None else None
        ended = job.state in FINAL_STATES
        while not ended:
            events = await service.events.after(job_id, last_id, PING_SECONDS)
            job = await run_in_threadpool(_body, service, job_id)
            for event, state in _worth_telling(events):
                kind, shown = ("progress" if state is shown else "state"), state
                yield _chunk(kind, event.id, _as_it_was(job, event, state, events[-1]).model_dump_json())
            if events:
                last_id, ended = events[-1].id, events[-1].state in FINAL_STATES
            elif job.state in FINAL_STATES:  # Redis has lost the event of its end
                yield _snapshot(job, last_id)
                return
            else:
                yield b": ping\n\n"
    except JobNotFound:
        yield _chunk("deleted", last_id, f'{{"id":"{job_id}"}}')


def _snapshot(job: JobBody, last_id: str) -> bytes:
    """The job as it is, with the id of its end if it has ended, or of its last change."""
    event_id = f"{_milliseconds(job.finished_at)}-0" if job.finished_at else last_id
    return _chunk("state", event_id, job.model_dump_json())


def _worth_telling(events: Sequence[JobEvent]) -> list[tuple[JobEvent, JobState]]:
    """The last event in each state: of several changes at once, the earlier ones say nothing more."""
    after = [event.state for event in events[1:]] + [None] if events else []
    pairs = zip(events, after, strict=True)
    return [(event, event.state) for event, later in pairs if event.state and event.state is not later]


def _as_it_was(job: JobBody, event: JobEvent, state: JobState, last: JobEvent) -> JobBody:
    """The job as it was after an event that others have followed."""
    if event is last and job.state is state:
        return job
    return job.model_copy(
        update={"state": state, "phase": phase_of(state, job.profile), "patches_done": event.patches_done}
    )


def _chunk(kind: str, event_id: str, data: str) -> bytes:
    return format_sse_event(event=kind, id=event_id, data_str=data)
