"""`/livez` and `/readyz`."""

from __future__ import annotations

from fastapi import APIRouter

from api.dependencies import ServiceDependency
from api.schemas import Problem

router = APIRouter(tags=["health"])


@router.get("/livez")
def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": Problem}})
def readyz(service: ServiceDependency) -> dict[str, str]:
    """Redis and the blob store answer; otherwise 503 says which does not."""
    service.store.check()
    service.blobs.check()
    return {"status": "ok"}
