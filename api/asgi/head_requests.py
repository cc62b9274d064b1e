"""HEAD is GET without the body (RFC 9110, section 9.3.2), on every route."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

STREAMS = "/events"
"""How paths end whose answer has no end in sight: of these, there is no HEAD."""


class HeadAsGet:
    """ASGI middleware, the innermost of the layers: routes see a GET."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"].endswith(STREAMS):
            await self._app(scope, receive, send)
            return

        async def send_as_head(message: Message) -> None:
            scope["method"] = "HEAD"  # by which the server leaves bodies out, and which is what was asked
            await send(message)

        scope["method"] = "GET"
        await self._app(scope, receive, send_as_head)
