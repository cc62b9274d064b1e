"""Running below a path, such as `/regrow`, behind a proxy that serves several services under one address.

The proxy may take the prefix off before it passes a request on, or leave it. Within a request, the scope's `root_path`
holds it and `path` begins with it, as ASGI has it; what an answer refers to is put below it by `below_prefix`.
"""

from __future__ import annotations

import re
from contextlib import suppress
from contextvars import ContextVar

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

HEADER = "X-Forwarded-Prefix"
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_CURRENT: ContextVar[str] = ContextVar("regrow_prefix", default="")


def parse_prefix(text: str) -> str:
    """A prefix as settings have it; empty for none, otherwise without a slash at its end. Raises ValueError."""
    prefix = text.rstrip("/")
    if prefix and not (_PREFIX.fullmatch(prefix) and len(prefix) <= 200):
        raise ValueError(
            f"{text[:50]!r} is no path that begins with / and has letters, digits and ._~- between slashes"
        )
    return prefix


def below_prefix(path: str) -> str:
    """A path of this service, as the client whose request is being answered has to ask for it."""
    return _CURRENT.get() + path


def route_path(scope: Scope) -> str:
    """A request's path without the prefix: what routes are compared with."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


class BelowPrefix:
    """ASGI middleware: requests are answered as below a prefix, or below what their scope has already."""

    def __init__(self, app: ASGIApp, *, prefix: str) -> None:
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not scope.get("root_path"):
            _put_below(scope, self._prefix)
        token = _CURRENT.set(scope.get("root_path", ""))
        try:
            await self._app(scope, receive, send)
        finally:
            _CURRENT.reset(token)


class ProxyHeaders(ProxyHeadersMiddleware):
    """ASGI middleware: believes trusted proxies, as uvicorn does, what they say of the client, and of the prefix."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        client = scope.get("client")
        if scope["type"] == "http" and client is not None and client[0] in self.trusted_hosts:
            text = Headers(scope=scope).get(HEADER, "").strip()
            with suppress(ValueError):  # as if it had not been said
                _put_below(scope, parse_prefix(text))
        await super().__call__(scope, receive, send)  # type: ignore[arg-type]


def _put_below(scope: Scope, prefix: str) -> None:
    if not prefix:
        return
    scope["root_path"] = prefix
    if scope["path"] != prefix and not scope["path"].startswith(f"{prefix}/"):
        scope["path"] = prefix + scope["path"]
        scope["raw_path"] = prefix.encode() + (scope.get("raw_path") or b"")
