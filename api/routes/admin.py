"""`/admin`: the dashboard, a static page that reads the JSON routes."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse

from regrow.api.access import admin
from regrow.api.bodies.jobs import ProcessList, WorkerList
from regrow.api.dependencies import ServiceDependency
from regrow.api.responses import problems
from regrow.api.static_files import STATIC

router = APIRouter(tags=["admin"], dependencies=[Depends(admin)])


@router.get("/admin", include_in_schema=False)
def dashboard() -> FileResponse:
    """The dashboard's page."""
    return FileResponse(STATIC / "admin.html", media_type="text/html; charset=utf-8")


@router.get("/admin/workers", responses=problems(503))
def list_workers(service: ServiceDependency) -> WorkerList:
    """The workers that are alive."""
    return WorkerList(workers=service.workers.alive())


@router.get("/admin/processes", responses=problems(503))
def list_processes(service: ServiceDependency) -> ProcessList:
    """What `regrow serve` keeps running, and how often it had to start it again; empty in a fleet."""
    return ProcessList(processes=service.processes.all())
