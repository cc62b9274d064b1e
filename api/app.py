"""The FastAPI application: wiring only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.staticfiles import StaticFiles

from api.asgi.app import MeasuredApp
from api.asgi.head_requests import HeadAsGet
from api.dependencies import make_service
from api.errors import install_error_handlers
from api.openapi import install_openapi
from api.routes import admin, decode, docs, encode, events, groups, health, jobs, metrics, problems, webhooks
from api.settings import ApiSettings
from api.static_files import STATIC
from api.strictness import refuse_what_is_not_heard
from core.version import VERSION


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.service.preparing.start()
    yield
    app.state.service.preparing.close()
    await app.state.service.events.close()


def create_app(settings: ApiSettings | None = None) -> FastAPI:
    """An application for these settings, or for the environment's."""
    settings = settings or ApiSettings()
    app = MeasuredApp(
        title="Regrow",
        version=VERSION,
        summary="Compresses images into the weights of tiny neural cellular automata, and regrows them on demand.",
        max_body_size=settings.max_body_bytes,
        lifespan=_lifespan,
        docs_url=None,  # FastAPI's own pages load scripts from elsewhere
        redoc_url=None,
        dependencies=[Depends(refuse_what_is_not_heard)],
    )
    app.state.service = make_service(settings)
    app.metrics = app.state.service.metrics
    install_error_handlers(app)

    app.add_middleware(HeadAsGet)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["*"],
        )
    app.cross_origin = bool(settings.cors_origins)
    app.prefix = settings.root_path

    app.state.service.warm_up.start()

    for module in (encode, jobs, events, decode, webhooks, health, problems, admin, metrics, docs):
        app.include_router(module.router)
    app.include_router(groups.router, max_body_size=settings.max_group_bytes)
    install_openapi(app)
    app.limits = {groups.PATH: settings.max_group_bytes}
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app
