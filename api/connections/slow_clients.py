"""How long clients may take, and how much they may send beside bodies: what uvicorn does not bound.

Done where bytes arrive and not as ASGI middleware: that also sees headers that never end, and bodies that no route
reads. A request that arrives whole in one piece, as most do, starts no timer.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from regrow.api.connections.lingering import LingeringTransport
from regrow.api.errors import HEADERS_TOO_LARGE, TIMEOUT, TOO_MANY_CONNECTIONS, ProblemType, problem

MOST_HEADER_BYTES = 64 * 1024

BAD_REQUEST = ProblemType(HTTPStatus.BAD_REQUEST, "bad-request")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. headers, body: until a request's are whole. stall: until the next byte of either."""

    headers: float
    body: float
    stall: float


class BoundedProtocol(HttpToolsProtocol):
    """Answers 408 and closes when a request takes too long, 431 when there is too much beside its body.

    Idle connections, between requests, are left to uvicorn's `timeout_keep_alive`.
    """

    def __init__(self, patience: Patience, **server: Any) -> None:
        super().__init__(**server)
        self.url, self.headers = b"", []
        self._patience = patience
        self._deadline: float | None = None  # of what is being received, by the loop's clock
        self._heard = 0.0
        self._in_body = False
        self._unbodied = 0  # bytes since the request's start, or since the last byte of its body
        self._timer: TimerHandle | None = None
        self._reader: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        lingering: Any = LingeringTransport(transport, self, self._is_receiving, self._give_up)
        super().connection_made(lingering)
        if len(self.connections) > (self.config.limit_concurrency or 0) + self.config.backlog:
            transport.abort()  # so many wait for their 503 already: each takes one of the process's files
            return
        self._expect(self._patience.headers)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()
        self._forget_reader()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        super().pause_writing()
        self._watch_reader(self._unread())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget_reader()

    def data_received(self, data: bytes) -> None:
        self._unbodied += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._deadline is not None and self._unbodied > MOST_HEADER_BYTES:  # perhaps of trailers
            self._refuse(HEADERS_TOO_LARGE, _too_large())
            return
        if self._deadline is None and self._is_idle() and self.timeout_keep_alive_task is None:
            self._expect(self._patience.headers)  # empty lines, which are no request, ended uvicorn's timer
        self._watch()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect(self._patience.headers)

    def on_headers_complete(self) -> None:
        if self._unbodied > MOST_HEADER_BYTES and self._header_bytes() > MOST_HEADER_BYTES:
            raise ValueError(_too_large())  # which ends the parsing: see send_400_response
        super().on_headers_complete()
        self._expect(self._patience.body)
        self._in_body = True

    def on_body(self, body: bytes) -> None:
        self._unbodied = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._unbodied = 0
        self._done()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when the parser, or one of its callbacks, has failed."""
        if not self._in_body and self._header_bytes() > MOST_HEADER_BYTES:
            self._refuse(HEADERS_TOO_LARGE, _too_large())
        else:
            self._refuse(BAD_REQUEST, msg)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        super()._start_asgi_task(cycle, _too_many_connections if app is service_unavailable else app)

    def _expect(self, seconds: float) -> None:
        """Begin to wait for headers or a body, which must be whole within so many seconds."""
        self._done()
        self._heard = self.loop.time()
        self._deadline = self._heard + seconds

    def _watch_reader(self, unread: int) -> None:
        self._reader = self.loop.call_later(self._patience.stall, self._check_reader, unread)

    def _check_reader(self, unread_before: int) -> None:
        """Close where nothing at all was read meanwhile: what waits to be read takes memory."""
        unread = self._unread()
        if unread >= unread_before:
            self.transport.abort()
        else:
            self._watch_reader(unread)

    def _unread(self) -> int:
        transport: Any = self.transport
        return int(transport.get_write_buffer_size())

    def _forget_reader(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def _done(self) -> None:
        """Stop waiting: the request is whole, or the connection ends."""
        self._deadline, self._in_body = None, False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self) -> None:
        """Start the timer where something is awaited, at a moment when a byte has come."""
        if self._deadline is not None:
            self._heard = self.loop.time()
            if self._timer is None:
                self._timer = self.loop.call_at(self._due(self._deadline), self._check)

    def _due(self, deadline: float) -> float:
        return min(deadline, self._heard + self._patience.stall)

    def _check(self) -> None:
        """Refuse what is late, unless it is this process that does not read."""
        self._timer = None
        if self._deadline is None or self.transport.is_closing():
            return
        if self.flow.read_paused:
            self._heard = self.loop.time()
            self._timer = self.loop.call_later(self._patience.stall, self._check)
        elif self.loop.time() < self._due(self._deadline):
            self._timer = self.loop.call_at(self._due(self._deadline), self._check)
        else:
            self._refuse(TIMEOUT, "the request did not arrive whole in time")

    def _refuse(self, kind: ProblemType, detail: str) -> None:
        """Close, with an answer where this request is the one to be answered next and was begun."""
        started = self.cycle.response_started or self.pipeline if self._in_body else not self._is_idle()
        if started or not self._is_receiving():
            self.transport.abort()
            return
        transport: Any = self.transport
        transport.write(_raw(problem(kind, detail, {"Connection": "close"})))
        if kind is TIMEOUT:
            transport.close_now()  # who was slow before would be so again
        else:
            transport.close()

    def _give_up(self) -> None:
        """Read nothing that comes from now on as a request."""
        self._done()
        if not self._is_idle():
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _is_receiving(self) -> bool:
        """Whether a request has begun that is not whole yet."""
        return self._in_body or self._unbodied > 0

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _header_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)


async def _too_many_connections(scope: Any, receive: Any, send: Any) -> None:
    detail = "too many connections are open: close some, or try again"
    await problem(TOO_MANY_CONNECTIONS, detail, {"Connection": "close"})(scope, receive, send)


def _too_large() -> str:
    return f"the request has more than {MOST_HEADER_BYTES:,} bytes beside its body"


def _raw(response: JSONResponse) -> bytes:
    lines = b"".join(b"%s: %s\r\n" % header for header in response.raw_headers)
    return STATUS_LINE[response.status_code] + lines + b"\r\n" + response.body
