"""`/docs`: the OpenAPI document for people, without anything from elsewhere."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse

from regrow.api.static_files import STATIC

router = APIRouter()


@router.get("/docs", include_in_schema=False)
def docs() -> FileResponse:
    """The API's documentation as a page."""
    return FileResponse(STATIC / "docs.html", media_type="text/html; charset=utf-8")
