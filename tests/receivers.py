"""Receivers of webhooks, on loopback."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Request:
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """answers: statuses, or a status and headers, given one after the other; the last one from then on."""

    answers: list[int | tuple[int, dict[str, str]]] = field(default_factory=lambda: [204])
    received: queue.Queue[Request] = field(default_factory=queue.Queue)
    open: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def next(self) -> Request:
        return self.received.get(timeout=20)

    def take(self, request: Request) -> tuple[int, dict[str, str]]:
        self.received.put(request)
        self.open.wait(30)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer if isinstance(answer, tuple) else (answer, {})


@contextlib.contextmanager
def receiving(*answers: int | tuple[int, dict[str, str]], host: str = "127.0.0.1") -> Iterator[Receiver]:
    receiver = Receiver(list(answers) or [204])
    receiver.open.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers = receiver.take(Request(self.path, dict(self.headers), body))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it would not wait
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((host, 0), Handler)
    receiver.url = f"http://{host}:{server.server_port}/hook?x=1"
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    try:
        yield receiver
    finally:
        receiver.open.set()
        server.shutdown()
        thread.join()
        server.server_close()
