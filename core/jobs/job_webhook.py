"""Telling whoever asked to be told that a job has ended."""

from __future__ import annotations

from regrow.core.jobs.links import bundle_path, job_path, picture_path
from regrow.core.jobs.model import Job
from regrow.core.webhooks.deliveries import Deliveries


def announce_job(deliveries: Deliveries, job: Job) -> None:
    """Queue the event of a job that has ended, if it is to be told. Called again for the same end, it does nothing.

    Raises ServiceUnavailable.
    """
    if job.webhook is None or job.finished_ms is None:
        return
    data = {
        "id": job.id,
        "state": str(job.state),
        "psnr": job.psnr,
        "bytes": job.bytes,
        "patches_total": job.patches_total,
        "patches_failed": job.patches_failed,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "error": None if job.error is None else {"type": job.error.type, "message": job.error.message},
        "links": {"self": job_path(job.id), "picture": picture_path(job.id), "bundle": bundle_path(job.id)},
    }
    deliveries.enqueue(f"msg_{job.id}_{job.finished_ms}", job.owner, job.webhook, f"job.{job.state}", data)
