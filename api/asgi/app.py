"""An application with layers of middleware around all of it."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp


class LayeredApp(FastAPI):
    """layers: of ASGI middleware, the outermost first; to be set before the first request.

    `add_middleware` adds inside FastAPI's handling of unexpected errors; layers also see the answers to such errors.
    """

    layers: Sequence[Middleware] = ()

    def build_middleware_stack(self) -> ASGIApp:
        app = super().build_middleware_stack()
        for layer in reversed(self.layers):
            app = layer.cls(app, *layer.args, **layer.kwargs)
        return app
