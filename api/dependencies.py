"""What routes need, made once per process and handed to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Request

from api.pictures import Pictures
from api.settings import ApiSettings
from core.errors import JobNotFound
from core.jobs.blobs import make_blob_store
from core.jobs.lifecycle import Jobs
from core.jobs.messages import Sender, make_celery
from core.jobs.model import is_job_id
from core.jobs.processes import ProcessRegistry
from core.jobs.scripts import connect
from core.jobs.store import JobStore
from core.jobs.workers import WorkerRegistry


@dataclass(frozen=True, slots=True)
class Service:
    """The API's connections."""

    settings: ApiSettings
    jobs: Jobs
    pictures: Pictures
    workers: WorkerRegistry
    processes: ProcessRegistry


def make_service(settings: ApiSettings) -> Service:
    """Connect lazily: nothing is reached until a request needs it."""
    url = settings.redis_url.get_secret_value()
    redis = connect(url, retries=1)
    jobs = Jobs(JobStore(redis), make_blob_store(settings), Sender(make_celery(url)))
    return Service(
        settings=settings,
        jobs=jobs,
        pictures=Pictures(jobs, settings.bundle_cache_bytes, settings.picture_cache_bytes),
        workers=WorkerRegistry(redis),
        processes=ProcessRegistry(redis),
    )


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _job_id(id: Annotated[str, Path(description="The job's id", examples=["0" * 32])]) -> str:
    """A string that cannot be an id is answered as an unknown one."""
    if not is_job_id(id):
        raise JobNotFound("there is no job with this id")
    return id


ServiceDependency = Annotated[Service, Depends(_service)]
JobId = Annotated[str, Depends(_job_id)]
