"""`GET /decode/<id>.png`: the picture, regrown."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.dependencies import JobId, ServiceDependency
from api.routes.jobs import NO_PICTURE, read_bundle_of
from core.codec.decoder import decode

router = APIRouter(tags=["decode"])


@router.get("/decode/{id}.png", response_class=Response, responses={**NO_PICTURE, 200: {"content": {"image/png": {}}}})
def decode_png(job_id: JobId, service: ServiceDependency) -> Response:
    """Regrow the picture from its bundle, at exactly its original size."""
    return Response(decode(read_bundle_of(service, job_id)).picture.to_png(), media_type="image/png")
