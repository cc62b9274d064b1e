"""Requests that are sent before the one ahead of them is answered (RFC 9112, section 9.3.2)."""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from api.lingering import MOST_BYTES
from api.slow_clients import BoundedProtocol, Patience


class BoundedPipelines(BoundedProtocol):
    """Closes after the answer to a POST where another request came behind it; all that wait hear of the client's going.

    uvicorn reads no more while a second request waits, and so would not notice that the client has gone. What is behind
    a POST is read and thrown away instead: its client, to whom the connection's end says so, sends it again.
    """

    def __init__(self, patience: Patience, **server: Any) -> None:
        super().__init__(patience, **server)
        self._answered_now: RequestResponseCycle | None = None
        self._ends, self._ignored = False, 0

    def connection_lost(self, exc: Exception | None) -> None:
        waiting = [self._answered_now] if self._answered_now else []
        for cycle in [*waiting, *(cycle for cycle, _ in self.pipeline)]:
            cycle.disconnected = cycle.disconnected or not cycle.response_complete
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._ends:
            super().data_received(data)
            return
        self._ignored += len(data)
        if self._ignored > MOST_BYTES:
            self.transport.abort()

    def on_headers_complete(self) -> None:
        if not self._is_idle() and self.cycle.scope["method"] == "POST":
            self.cycle.keep_alive, self._ends = False, True
            self._done()
            raise ValueError("another request behind a POST")  # which ends the parsing: see send_400_response
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if not self._ends:
            super().send_400_response(msg)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:
        self._answered_now = cycle
        super()._start_asgi_task(cycle, app)

    def _is_receiving(self) -> bool:
        return self._ends or super()._is_receiving()
