"""Requests that are sent before the one ahead of them is answered (RFC 9112, section 9.3.2)."""

from __future__ import annotations

from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from regrow.api.connections.lingering import MOST_BYTES
from regrow.api.connections.slow_clients import BoundedProtocol, Patience

MOST_HELD = 256 * 1024
"""Bytes of later requests that are kept until a POST is answered. Where there are more, the connection is closed after
that answer, which tells the client to send the later requests again."""


class BoundedPipelines(BoundedProtocol):
    """Notices that a client has gone, whatever it sent behind a POST, and tells all of its requests.

    uvicorn reads no more while a second request waits, and so would not hear of it; and it tells the latest only.
    """

    def __init__(self, patience: Patience, **server: Any) -> None:
        super().__init__(patience, **server)
        self._answered_now: RequestResponseCycle | None = None
        self._held = bytearray()
        self._ends, self._ignored = False, 0

    def connection_lost(self, exc: Exception | None) -> None:
        waiting = [self._answered_now] if self._answered_now else []
        for cycle in [*waiting, *(cycle for cycle, _ in self.pipeline)]:
            cycle.disconnected = cycle.disconnected or not cycle.response_complete
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._ends:
            self._ignore(data)
        elif self._holds() or self._held:
            self._held += data
            if len(self._held) > MOST_HELD and self._answered_now:
                self._answered_now.keep_alive, self._ends = False, True
                self._held.clear()
        else:
            super().data_received(data)
            if self._holds():
                self.flow.resume_reading()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._held and not self._holds() and not self.transport.is_closing():
            held, self._held = bytes(self._held), bytearray()
            self.data_received(held)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answered_now = cycle
        super()._start_asgi_task(cycle, app)

    def _holds(self) -> bool:
        """Whether a request waits for the answer to a POST."""
        now = self._answered_now
        return bool(self.pipeline) and now is not None and not now.response_complete and now.scope["method"] == "POST"

    def _ignore(self, data: bytes) -> None:
        self._ignored += len(data)
        if self._ignored > MOST_BYTES:
            self.transport.abort()

    def _check(self) -> None:
        """A client from which this process does not read at the moment cannot be late."""
        if self._ends or self._holds():
            self._timer = self.loop.call_later(self._patience.stall, self._check)
        else:
            super()._check()

    def _is_receiving(self) -> bool:
        return self._ends or bool(self._held) or super()._is_receiving()
