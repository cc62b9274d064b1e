"""Bodies over the limit, by their Content-Length: answered before a byte of them is read.

FastAPI's `max_body_size` counts what is read and stops there, but answers a Content-Length over the limit as plain text
that no exception handler sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from regrow.api.asgi.prefix import route_path
from regrow.api.errors import TOO_LARGE, problem


class LimitedApp(FastAPI):
    """A FastAPI application whose 413 is a problem+json. limits: of paths that have their own."""

    limits: Mapping[str, int] = MappingProxyType({})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.max_body_size is not None:
            length = Headers(scope=scope).get("content-length", "")
            limit = self.limits.get(route_path(scope), self.max_body_size)
            if length.isdecimal() and int(length) > limit:
                detail = f"the body has {length} bytes: at most {limit} are accepted"
                await problem(TOO_LARGE, detail, {"Connection": "close"})(scope, receive, send)
                return
        await super().__call__(scope, receive, send)
