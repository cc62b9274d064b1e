"""`/livez` and `/readyz`."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import Response

from api.dependencies import ServiceDependency
from api.errors import Kind, problem
from api.schemas import Health, Problem
from core.errors import RegrowError

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> Health:
    """The process answers, however busy it is."""
    return Health(status="ok")


@router.get("/readyz", response_model=Health, responses={503: {"model": Problem}})
def readyz(service: ServiceDependency) -> Health | Response:
    """Redis and the blob store answer, the workers understand this API, and it can decode; otherwise 503 says what is
    wrong."""
    checks = {
        "redis": service.jobs.store.check,
        "blobs": service.jobs.blobs.check,
        "workers": service.workers.check_skew,
        "decoder": service.warm_up.check,
    }
    wrong = []
    for name, check in checks.items():
        try:
            check()
        except RegrowError as error:
            wrong.append({"field": name, "message": str(error)})
    if not wrong:
        return Health(status="ok")
    kind = Kind(HTTPStatus.SERVICE_UNAVAILABLE, "service-unavailable", retry=True)
    return problem(kind, "; ".join(item["message"] for item in wrong), errors=wrong)
