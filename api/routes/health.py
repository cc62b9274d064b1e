"""`/livez` and `/readyz`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import Response

from regrow.api.bodies.jobs import Health, Readiness, ReadinessWarning
from regrow.api.dependencies import Service, ServiceDependency
from regrow.api.errors import ProblemType, problem
from regrow.api.responses import problems
from regrow.core.errors import RegrowError
from regrow.core.jobs.unserved import warnings_of

router = APIRouter(tags=["health"])


@dataclass(frozen=True, slots=True)
class Check:
    """name: of what is looked at. run: raises a RegrowError, in one line, where it is not as it must be."""

    name: str
    run: Callable[[Service], None]


CHECKS = (
    Check("redis", lambda service: service.store.check()),
    Check("blobs", lambda service: service.blobs.check()),
    Check("workers", lambda service: service.workers.check_skew()),
    Check("decoder", lambda service: service.warm_up.check()),
)
"""What this process cannot answer without: all must pass."""


@router.get("/livez")
async def livez() -> Health:
    """The process answers, however busy it is."""
    return Health(status="ok")


@router.get("/readyz", response_model=Readiness, responses=problems(503))
def readyz(service: ServiceDependency) -> Readiness | Response:
    """Redis and the blob store take writes, the workers understand this API, and it can decode; else 503 says what not.

    That no worker is there is a warning: this API answers all the same, and jobs wait.
    """
    wrong = []
    for check in CHECKS:
        try:
            check.run(service)
        except RegrowError as error:
            wrong.append({"field": check.name, "message": str(error)})
    if wrong:
        kind = ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "service-unavailable", retry=True)
        return problem(kind, "; ".join(item["message"] for item in wrong), errors=wrong)
    return Readiness(status="ok", warnings=list(_warnings(service)))


def _warnings(service: Service) -> Iterator[ReadinessWarning]:
    workers = service.workers.alive()
    if not workers:
        yield ReadinessWarning(field="workers", message="no worker is alive: jobs are accepted, and wait for one")
    elif all(worker.refused for worker in workers):
        yield ReadinessWarning(field="workers", message=f"no worker takes work: {workers[0].refused}")
    for message in warnings_of(service.capacity.unserved()):
        yield ReadinessWarning(field="queues", message=message)
