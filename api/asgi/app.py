"""The application, counting and timing what it answers."""

from __future__ import annotations

import time
from functools import cached_property
from http import HTTPMethod

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from regrow.api.asgi.access_log import AccessLog
from regrow.api.asgi.body_limit import LimitedApp
from regrow.api.asgi.metrics import Metrics
from regrow.api.asgi.prefix import answering_below
from regrow.api.asgi.security_headers import SecurityHeaders
from regrow.api.errors import PROBLEM

OTHER = "other"
"""Label of methods that HTTP does not know, and of all paths that are no route: unknown ones, static files, /docs."""

_METHODS = frozenset(HTTPMethod)


class MeasuredApp(LimitedApp):
    """Counts every answer as it begins: a stream's length is no latency, and what is refused for its length counts.

    Around everything, errors too, are the access log and the security headers. cross_origin: as SecurityHeaders has it.
    prefix: of the paths at which clients find it.
    """

    metrics: Metrics
    cross_origin = False
    prefix = ""

    @cached_property
    def _logged(self) -> ASGIApp:
        return AccessLog(SecurityHeaders(super().__call__, cross_origin=self.cross_origin))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        start = time.perf_counter()

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(scope, message["status"], time.perf_counter() - start)
            await send(message)

        with answering_below(scope, self.prefix):
            await self._logged(scope, receive, counting)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else OTHER
        route = getattr(scope.get("route"), "path_format", None) or OTHER
        self.metrics.requests.labels(method, route, f"{status:d}").inc()
        self.metrics.request_seconds.labels(method, route).observe(seconds)
        if PROBLEM in scope:
            self.metrics.problems.labels(scope[PROBLEM]).inc()
