"""An application with layers of middleware around all of it."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp


class LayeredApp(FastAPI):
    """layers: the outermost first. FastAPI's own middleware is inside its handling of unexpected errors; these see the
    answers to such errors, too. They are put together when the first request comes."""

    layers: Sequence[Middleware] = ()

    def build_middleware_stack(self) -> ASGIApp:
        app = super().build_middleware_stack()
        for layer in reversed(self.layers):
            app = layer.cls(app, *layer.args, **layer.kwargs)
        return app
