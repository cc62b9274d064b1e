"""`/jobs`: what became of what was sent."""

from __future__ import annotations

import contextlib
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.dependencies import JobId, Service, ServiceDependency
from api.schemas import JobBody, JobList, Problem
from core.errors import BlobNotFound, JobEnded, JobFailed, JobNotFinished
from core.jobs.documents import JobKeys, OutcomeDocument
from core.jobs.model import FINAL_STATES, JobState

router = APIRouter(tags=["jobs"])

POLL_SECONDS = 1

NOT_FOUND = {status: {"model": Problem} for status in (404, 503)}
REFUSED = {status: {"model": Problem} for status in (404, 409, 429, 503)}
NO_PICTURE = {status: {"model": Problem} for status in (404, 409, 410, 503)}


@router.get("/jobs", responses={503: {"model": Problem}})
def list_jobs(service: ServiceDependency, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> JobList:
    """The newest jobs."""
    return JobList(jobs=[JobBody.of(job) for job in service.jobs.store.newest(limit)])


@router.get("/jobs/{id}", responses=NOT_FOUND)
def get_job(job_id: JobId, service: ServiceDependency) -> JobBody:
    """One job."""
    return JobBody.of(service.jobs.get(job_id))


@router.get(
    "/jobs/{id}/bundle",
    response_class=Response,
    responses={**NO_PICTURE, 200: {"content": {"application/octet-stream": {}}}},
)
def get_bundle(job_id: JobId, service: ServiceDependency) -> Response:
    """The stored file (`.gnca`)."""
    return Response(
        read_bundle_of(service, job_id),
        media_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{job_id}.gnca"'},
    )


@router.post("/jobs/{id}/cancel", responses={**NOT_FOUND, 409: {"model": Problem}})
def cancel_job(job_id: JobId, service: ServiceDependency) -> JobBody:
    """Stop a job; its workers do within seconds. Nothing of its results is kept."""
    job = service.jobs.get(job_id)
    if not service.jobs.cancel(job_id):
        job = service.jobs.get(job_id)
        if job.state is not JobState.CANCELLED:
            raise JobEnded(f"the job has {job.state}: only one that has not ended can be cancelled")
    return JobBody.of(service.jobs.get(job_id))


@router.post("/jobs/{id}/retry", status_code=HTTPStatus.ACCEPTED, responses=REFUSED)
def retry_job(job_id: JobId, service: ServiceDependency, response: Response) -> JobBody:
    """Try a job again that failed or was cancelled. What was fitted before it failed is not fitted again."""
    service.jobs.retry(job_id, service.settings.limits)
    response.headers["Location"] = f"/jobs/{job_id}"
    response.headers["Retry-After"] = str(POLL_SECONDS)
    return JobBody.of(service.jobs.get(job_id))


@router.delete("/jobs/{id}", status_code=HTTPStatus.NO_CONTENT, responses=NOT_FOUND)
def delete_job(job_id: JobId, service: ServiceDependency) -> None:
    """Remove a job with its picture and its bundle; one that is on the way is stopped."""
    service.jobs.delete(job_id)


def read_bundle_of(service: Service, job_id: str) -> bytes:
    """The job's bundle. The blob store is asked first: a bundle outlives what Redis knows of its job."""
    blobs, keys = service.jobs.blobs, JobKeys(job_id)
    with contextlib.suppress(BlobNotFound):
        if OutcomeDocument.model_validate_json(blobs.get(keys.outcome)).state is JobState.SUCCEEDED:
            return blobs.get(keys.bundle)
    job = service.jobs.get(job_id)
    if job.state not in FINAL_STATES:
        raise JobNotFinished(f"the job is {job.state}: ask again when it has succeeded")
    if job.state is JobState.SUCCEEDED:  # it ended between the two looks
        return blobs.get(keys.bundle)
    reason = job.error.message if job.error else "no reason is known"
    raise JobFailed(f"the job {job.state}, so there is no picture: {reason}")
