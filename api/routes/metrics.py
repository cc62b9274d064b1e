"""`/metrics`, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from regrow.api.access import admin
from regrow.api.dependencies import ServiceDependency

router = APIRouter(tags=["admin"], dependencies=[Depends(admin)])


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(service: ServiceDependency) -> PlainTextResponse:
    """This process's metrics and the fleet's, in Prometheus' text format; while Redis is away, only the first."""
    return PlainTextResponse(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)
