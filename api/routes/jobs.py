"""`/jobs`: what became of what was sent."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from regrow.api.access import Caller, JobId
from regrow.api.asgi.prefix import below_prefix
from regrow.api.bodies.jobs import JobBody, JobList
from regrow.api.conditional import answer, answer_ranges
from regrow.api.dependencies import ServiceDependency
from regrow.api.responses import problems
from regrow.core.codec.encode.report import Report
from regrow.core.errors import JobEnded
from regrow.core.jobs.model import JobState

router = APIRouter(tags=["jobs"])

POLL_SECONDS = 1

NOT_FOUND = problems(404, 503)
REFUSED = problems(404, 409, 429, 503)
NO_PICTURE = problems(404, 409, 410, 503)


@router.get("/jobs", responses=problems(422, 503))
def list_jobs(
    service: ServiceDependency,
    principal: Caller,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before", pattern="^[0-9a-f]{32}$")] = None,
    state: Annotated[list[JobState] | None, Query(description="Only jobs in these states")] = None,
) -> JobList:
    """Your jobs, newest first; for an admin, everybody's."""
    owner = None if principal.sees_all else principal.owner
    jobs = service.store.newest(limit + 1, cursor, state or (), owner)
    page = jobs[:limit]
    return JobList(jobs=[JobBody.of(job) for job in page], next=page[-1].id if len(jobs) > limit else None)


@router.get("/jobs/{id}", responses=NOT_FOUND)
def get_job(job_id: JobId, service: ServiceDependency) -> JobBody:
    """One job."""
    return JobBody.of(service.jobs.get(job_id))


@router.get(
    "/jobs/{id}/bundle",
    response_class=Response,
    responses={
        **NO_PICTURE,
        206: {"description": "The range asked for"},
        416: {"description": "No such range"},
        200: {"content": {"application/octet-stream": {}}},
    },
)
def get_bundle(request: Request, job_id: JobId, service: ServiceDependency) -> Response:
    """The stored file (`.gnca`), or one range of its bytes."""
    bundle = service.pictures.bundle(job_id)
    headers = {"Content-Disposition": f'attachment; filename="{job_id}.gnca"'}
    return answer_ranges(request, f'"{bundle.digest}"', "application/octet-stream", bundle.data, **headers)


@router.get("/jobs/{id}/report", responses=NO_PICTURE)
def get_report(job_id: JobId, service: ServiceDependency) -> Report:
    """What became of the picture: quality, sizes and work. All of it is of the stored file."""
    service.pictures.bundle(job_id)  # or says why there is none
    return Report.model_validate_json(service.jobs.report(job_id))


@router.get(
    "/jobs/{id}/source.png", response_class=Response, responses={**NOT_FOUND, 200: {"content": {"image/png": {}}}}
)
def get_source(request: Request, job_id: JobId, service: ServiceDependency) -> Response:
    """The picture that was sent, as it was encoded: upright, in sRGB, without metadata."""
    service.jobs.get(job_id)
    data = service.jobs.source(job_id)
    return answer(request, f'"{hashlib.sha256(data).hexdigest()}"', "image/png", lambda: data)


@router.post("/jobs/{id}/cancel", responses={**NOT_FOUND, **problems(409)})
def cancel_job(job_id: JobId, service: ServiceDependency) -> JobBody:
    """Stop a job; its workers do within seconds. Nothing of its results is kept."""
    job = service.jobs.get(job_id)
    if not service.jobs.cancel(job_id):
        job = service.jobs.get(job_id)
        if job.state is not JobState.CANCELLED:
            raise JobEnded(f"the job has {job.state}: only one that has not ended can be cancelled")
    return JobBody.of(service.jobs.get(job_id))


@router.post("/jobs/{id}/retry", status_code=HTTPStatus.ACCEPTED, responses=REFUSED)
def retry_job(job_id: JobId, service: ServiceDependency, principal: Caller, response: Response) -> JobBody:
    """Try a job again that failed or was cancelled. What was fitted before it failed is not fitted again."""
    service.jobs.retry(job_id, service.limits_of(principal))
    response.headers["Location"] = below_prefix(f"/jobs/{job_id}")
    response.headers["Retry-After"] = str(POLL_SECONDS)
    return JobBody.of(service.jobs.get(job_id))


@router.delete("/jobs/{id}", status_code=HTTPStatus.NO_CONTENT, responses=NOT_FOUND)
def delete_job(job_id: JobId, service: ServiceDependency) -> None:
    """Remove a job with its picture and its bundle; one that is on the way is stopped."""
    service.jobs.delete(job_id)
