"""What browsers are told about every answer."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from regrow.api.asgi.prefix import route_path

# The pages have no inline code and load nothing from elsewhere. Swagger UI's style sheet has its icons in itself.
_OWN = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
POLICIES = {"/admin": _OWN, "/docs": f"{_OWN}; img-src 'self' data:"}
"""Content-Security-Policy, by path."""


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

        policy = POLICIES.get(route_path(scope))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                if policy is not None:
                    headers["Content-Security-Policy"] = policy
            await send(message)

        await self._app(scope, receive, send_with_headers)
