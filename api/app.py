"""The FastAPI application: wiring only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware

from regrow.api.asgi.access_log import AccessLog
from regrow.api.asgi.app import LayeredApp
from regrow.api.asgi.body_limit import BodyLimit
from regrow.api.asgi.head_requests import HeadAsGet
from regrow.api.asgi.prefix import BelowPrefix
from regrow.api.asgi.request_counts import RequestCounts
from regrow.api.asgi.security_headers import SecurityHeaders
from regrow.api.dependencies import make_service
from regrow.api.errors import install_error_handlers
from regrow.api.openapi import install_openapi
from regrow.api.routes import admin, decode, docs, encode, events, groups, health, jobs, metrics, problems, webhooks
from regrow.api.settings import ApiSettings
from regrow.api.static_files import STATIC
from regrow.api.strictness import refuse_what_is_not_heard
from regrow.core.version import VERSION


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.service.preparing.start()
    yield
    app.state.service.preparing.close()
    await app.state.service.events.close()


def create_app(settings: ApiSettings | None = None) -> FastAPI:
    """An application for these settings, or for the environment's."""
    settings = settings or ApiSettings()
    app = LayeredApp(
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
    install_error_handlers(app)
    app.layers = [
        Middleware(BelowPrefix, prefix=settings.root_path),
        Middleware(RequestCounts, metrics=app.state.service.metrics),
        Middleware(AccessLog),
        Middleware(SecurityHeaders, cross_origin=bool(settings.cors_origins)),
        Middleware(BodyLimit, most_bytes=settings.max_body_bytes, by_path={groups.PATH: settings.max_group_bytes}),
        Middleware(HeadAsGet),
    ]
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["*"],
        )

    app.state.service.warm_up.start()

    for module in (encode, jobs, events, decode, webhooks, health, problems, admin, metrics, docs):
        app.include_router(module.router)
    app.include_router(groups.router, max_body_size=settings.max_group_bytes)
    install_openapi(app)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app
