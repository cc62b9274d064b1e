"""What browsers are told about every answer."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The dashboard has no inline code and loads nothing from elsewhere. /docs is FastAPI's own page, which does.
ADMIN_CSP = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"


class SecurityHeaders:
    """ASGI middleware. cross_origin: whether pages of other origins may show pictures."""

    def __init__(self, app: ASGIApp, *, cross_origin: bool = False) -> None:
        self._app = app
        self._headers = {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "cross-origin" if cross_origin else "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                if scope["path"].startswith("/admin"):
                    headers["Content-Security-Policy"] = ADMIN_CSP
            await send(message)

        await self._app(scope, receive, send_with_headers)
