"""One line per request (as JSON: with fields), and an id that follows its work into the workers.

Query strings, headers and bodies are never logged: webhook addresses and keys travel in them.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from regrow.core.logs import log_context

log = logging.getLogger("regrow.access")

HEADER = "X-Request-ID"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class AccessLog:
    """ASGI middleware. Takes a client's request id if it is a plain one, and answers with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).get(HEADER, "")
        request_id = asked if _ID.fullmatch(asked) else secrets.token_hex(8)
        start, status, sent = time.perf_counter(), 0, 0

        async def send_with_id(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        with log_context(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                if not log.disabled and log.isEnabledFor(logging.INFO):
                    fields = _fields(scope, status, sent, time.perf_counter() - start)
                    log.info("%s", _line(**fields), extra=fields)


def _fields(scope: Scope, status: int, sent: int, seconds: float) -> dict[str, Any]:
    """What is logged of a request, by field of a JSON log line.

    status: 0 where the client left, or the connection broke, before there was an answer. bytes: of the answer's body.
    route: the path's template; None for what is no route.
    """
    principal = scope.get("state", {}).get("principal")
    return {
        "address": scope["client"][0] if scope.get("client") else None,
        "key_id": (principal.key_id if principal is not None else None) or None,
        "method": scope["method"],
        "path": quote(scope["path"][:500], safe="/:.,-_~"),  # nothing in it can end the line, or look like another
        "route": getattr(scope.get("route"), "path_format", None),
        "status": status,
        "bytes": sent,
        "seconds": round(seconds, 6),
    }


def _line(
    address: str | None,
    key_id: str | None,
    method: str,
    path: str,
    status: int,
    bytes: int,
    seconds: float,
    **_: object,
) -> str:
    return f"{address or '-'} {key_id or '-'} {method} {path} {status} {bytes} bytes {1000 * seconds:.1f} ms"
