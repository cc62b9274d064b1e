"""Bodies over the limit, by their Content-Length: answered before a byte of them is read.

FastAPI's `max_body_size` counts what is read and stops there, but answers a Content-Length over the limit as plain text
that no exception handler sees.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from regrow.api.asgi.prefix import route_path
from regrow.api.errors import TOO_LARGE, problem


class BodyLimit:
    """ASGI middleware: answers 413 as problem+json. most_bytes: of a body; by_path: of paths that have their own."""

    def __init__(self, app: ASGIApp, *, most_bytes: int, by_path: Mapping[str, int]) -> None:
        self._app, self._most_bytes, self._by_path = app, most_bytes, by_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            length = Headers(scope=scope).get("content-length", "")
            limit = self._by_path.get(route_path(scope), self._most_bytes)
            if length.isdecimal() and int(length) > limit:
                detail = f"the body has {length} bytes: at most {limit} are accepted"
                await problem(TOO_LARGE, detail, {"Connection": "close"})(scope, receive, send)
                return
        await self._app(scope, receive, send)
