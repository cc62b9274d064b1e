"""Work that ends when its client has gone."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio
from fastapi import Request
from starlette.requests import ClientDisconnect

T = TypeVar("T")


class Gone:
    """Whether a request's client has gone; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_set = False
        self._calls: list[Callable[[], None]] = []

    def set(self) -> None:
        """Say that the client has gone: calls what `calling` was given."""
        with self._lock:
            self._is_set = True
            calls = list(self._calls)
        for call in calls:
            call()

    def check(self) -> None:
        """Raises ClientDisconnect where the client has gone."""
        if self._is_set:
            raise ClientDisconnect

    @contextmanager
    def calling(self, call: Callable[[], None]) -> Iterator[None]:
        """Within it, the client's going calls this, in another thread. Raises ClientDisconnect."""
        with self._lock:
            self.check()
            self._calls.append(call)
        try:
            yield
        finally:
            with self._lock:
                self._calls.remove(call)


async def while_connected(request: Request, work: Callable[[Gone], Awaitable[T]]) -> T:
    """What work gives. It is told when the client goes, and cancelled where it only waits. Raises ClientDisconnect.

    The request's body must have been read.
    """
    gone = Gone()
    found: list[T] = []
    failed: list[Exception] = []  # raised out of the task group, it would be in an ExceptionGroup

    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            gone.set()
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        try:
            found.append(await work(gone))
        except Exception as error:
            failed.append(error)
        tasks.cancel_scope.cancel()
    for failure in failed:
        raise failure
    if not found:
        raise ClientDisconnect
    return found[0]
