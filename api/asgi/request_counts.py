"""Every answer, counted and timed."""

from __future__ import annotations

import time
from http import HTTPMethod

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from regrow.api.asgi.metrics import Metrics
from regrow.api.errors import PROBLEM

OTHER = "other"
"""Label of methods that HTTP does not know, and of all paths that are no route: unknown ones, static files, /docs."""

_METHODS = frozenset(HTTPMethod)


class RequestCounts:
    """ASGI middleware, around whatever may answer: what is refused for its length counts, too.

    It counts an answer as it begins: how long a stream goes on is no latency.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(scope, message["status"], time.perf_counter() - start)
            await send(message)

        await self._app(scope, receive, send_counted)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else OTHER
        route = getattr(scope.get("route"), "path_format", None) or OTHER
        self._metrics.requests.labels(method, route, f"{status:d}").inc()
        self._metrics.request_seconds.labels(method, route).observe(seconds)
        if PROBLEM in scope:
            self._metrics.problems.labels(scope[PROBLEM]).inc()
