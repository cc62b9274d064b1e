"""A cache bounded by bytes, in which a value is made once however many ask for it at the same time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class ByteCache(Generic[_Value]):
    """Least recently used values go first. Thread-safe. size: of a value, in bytes.

    hits, misses: how often a value was there or being made, and how often not.
    """

    def __init__(self, most_bytes: int, size: Callable[[_Value], int]) -> None:
        self._most_bytes, self._size = most_bytes, size
        self._values: OrderedDict[Hashable, _Value] = OrderedDict()
        self._making: dict[Hashable, Future[_Value]] = {}
        self._bytes = 0
        self.hits = self.misses = 0
        self._lock = threading.Lock()

    def known(self, key: Hashable) -> _Value | None:
        """The value of a key, None where it is not cached."""
        with self._lock:
            if key not in self._values:
                return None
            self.hits += 1
            self._values.move_to_end(key)
            return self._values[key]

    def get(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """The value of a key, made by `make` where it is not cached.

        Others who ask for it meanwhile wait for the same call; what it raises is raised for all of them.
        """
        with self._lock:
            if key in self._values:
                self.hits += 1
                self._values.move_to_end(key)
                return self._values[key]
            future = self._making.get(key)
            if future is None:
                mine: Future[_Value] = Future()
                self._making[key] = mine
                self.misses += 1
            else:
                self.hits += 1
        if future is not None:
            return future.result()
        return self._make(key, make, mine)

    def _make(self, key: Hashable, make: Callable[[], _Value], future: Future[_Value]) -> _Value:
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            future.set_exception(error)
            raise
        with self._lock:
            del self._making[key]
            self._keep(key, value)
        future.set_result(value)
        return value

    def _keep(self, key: Hashable, value: _Value) -> None:
        size = self._size(value)
        if size > self._most_bytes:
            return
        self._values[key] = value
        self._bytes += size
        while self._bytes > self._most_bytes:
            _, gone = self._values.popitem(last=False)
            self._bytes -= self._size(gone)
