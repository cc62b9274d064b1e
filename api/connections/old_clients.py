"""Answers to HTTP/1.0 and to versions that are not known, which need not know chunks: they end with the connection.

Without a length they must (RFC 9112, section 6.1).
"""

from __future__ import annotations

from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


class PlainAnswers(HttpToolsProtocol):
    """Answers in chunks only where the client has said that it can read them."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        old = cycle.scope["http_version"] != "1.1"
        cycle.keep_alive = cycle.keep_alive and not old  # uvicorn's own only of 1.0: others would wait for the end
        super()._start_asgi_task(cycle, _unchunked(cycle, app) if old else app)


def _unchunked(cycle: RequestResponseCycle, app: ASGI3Application) -> ASGI3Application:
    """The application, whose pieces uvicorn writes as they are. The connection ends with the answer."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        has_length = True

        async def send_plainly(message: Any) -> None:
            nonlocal has_length
            if message["type"] == "http.response.start":
                has_length = any(name.lower() == b"content-length" for name, _ in message.get("headers", ()))
                if not has_length:
                    cycle.chunked_encoding = False
            elif not has_length:
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await app(scope, receive, send_plainly)

    return answer
