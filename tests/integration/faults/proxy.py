"""A TCP proxy in front of a real store, which breaks down when told to."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

_FAILURE = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class FaultyProxy:
    """Use as a context manager. url: where it listens, for `target`'s clients."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._fault: str | None = None
        self._broken = 0
        self._lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> FaultyProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._cut()

    def break_down(self, fault: str) -> Callable[[], int]:
        """refuse, answer-500 or hang, from now on. How many connections have met with it so far."""
        self._fault, self._broken = fault, 0
        self._cut()
        return lambda: self._broken

    def recover(self) -> None:
        self._fault = None
        self._cut()

    def _cut(self) -> None:
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, self._known(client), contextlib.suppress(OSError):
            if self._fault is not None:
                self._broken += 1
            match self._fault:
                case "refuse":
                    return
                case "answer-500":
                    client.recv(1 << 16)
                    client.sendall(_FAILURE)
                case "hang":
                    while client.recv(1 << 16):
                        pass
                case _:
                    with socket.create_connection(self._target) as server, self._known(server):
                        threading.Thread(target=_pump, args=[server, client], daemon=True).start()
                        _pump(client, server)

    @contextlib.contextmanager
    def _known(self, connection: socket.socket):  # type: ignore[no-untyped-def]
        with self._lock:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
