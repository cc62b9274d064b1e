"""`python -m regrow.benchmarks.service_load`: clients that keep a server busy. JSON: a plan in, what they saw out.

Raw connections, each sending its next request when the last one is answered: about 30 µs a request, so that one process
keeps a server busy that takes ten times as long. What the clients took is part of the result.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import cycle

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_EMPTY = (204, 304)


@dataclass(frozen=True, slots=True)
class Call:
    """A request, over and over. body: base64, for JSON's sake."""

    path: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""

    @classmethod
    def post(cls, path: str, body: bytes) -> Call:
        return cls(path, "POST", body=base64.b64encode(body).decode())

    def encoded(self) -> bytes:
        body = base64.b64decode(self.body)
        headers = {"Host": "localhost", **self.headers} | ({"Content-Length": str(len(body))} if body else {})
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{self.method} {self.path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


@dataclass(frozen=True, slots=True)
class Plan:
    """calls: taken in turns, by whichever client is next. clients: connections. most: requests in all, None: no limit.

    every: seconds from one request of a client to its next, 0 for at once; a latency then counts from when it was due.
    """

    port: int
    calls: list[Call]
    clients: int = 1
    seconds: float = 1.0
    most: int | None = None
    every: float = 0.0


@dataclass(slots=True)
class Seen:
    """statuses: how often each. latencies, first_bytes: milliseconds. busy: seconds of the clients' processor time."""

    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    first_bytes: list[float] = field(default_factory=list)
    seconds: float = 0.0
    busy: float = 0.0


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, plan: Plan, calls: Iterator[bytes], seen: Seen) -> None:
        self._plan, self._calls, self._seen = plan, calls, seen
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()
        self._head = b""
        self._left: int | None = None  # bytes of the answer, None until its head is whole

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))

    def start(self, delay: float) -> None:
        """Send requests from then on."""
        self._due = time.perf_counter() + delay
        self._end = self._due + self._plan.seconds
        self._loop.call_later(delay, self._send)

    def _send(self) -> None:
        call = next(self._calls, None) if time.perf_counter() < self._end else None
        if call is None:
            self.done.set_result(None)
            self._transport.close()
            return
        if not self._plan.every:
            self._due = time.perf_counter()
        self._transport.write(call)

    def data_received(self, data: bytes) -> None:
        if self._left is None:
            if not self._head:
                self._seen.first_bytes.append(1000 * (time.perf_counter() - self._due))
            self._head += data
            head, separator, data = self._head.partition(b"\r\n\r\n")
            if not separator:
                return
            status = int(head[9:12])
            self._seen.statuses[status] = self._seen.statuses.get(status, 0) + 1
            self._left = 0 if status in _EMPTY else int(_LENGTH.search(head).group(1))  # type: ignore[union-attr]
        self._left -= len(data)
        if self._left <= 0:
            self._answered()

    def _answered(self) -> None:
        self._seen.latencies.append(1000 * (time.perf_counter() - self._due))
        self._head, self._left = b"", None
        if self._plan.every:
            self._due += self._plan.every
            self._loop.call_later(max(0.0, self._due - time.perf_counter()), self._send)
        else:
            self._send()


async def _run(plan: Plan) -> Seen:
    seen, loop = Seen(), asyncio.get_running_loop()
    endless = cycle([call.encoded() for call in plan.calls])
    calls = endless if plan.most is None else (next(endless) for _ in range(plan.most))
    clients = [
        (await loop.create_connection(lambda: _Client(plan, calls, seen), "127.0.0.1", plan.port))[1]
        for _ in range(plan.clients)
    ]
    start, cpu = time.perf_counter(), time.process_time()
    for number, client in enumerate(clients):
        client.start(plan.every * number / plan.clients)
    await asyncio.gather(*(client.done for client in clients))
    seen.seconds, seen.busy = time.perf_counter() - start, time.process_time() - cpu
    return seen


if __name__ == "__main__":
    given = json.load(sys.stdin)
    given["calls"] = [Call(**call) for call in given["calls"]]
    print(json.dumps(asdict(asyncio.run(_run(Plan(**given))))))
