"""Threads for what takes long, apart from those that answer quick questions: neither waits for the other."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from regrow.core.errors import TooManyRequests

T = TypeVar("T")

GROUPS_PER_OWNER = 2


class Turns:
    """Runs at most so many functions of one owner at once, and of all owners twice as many, each in a thread.

    More wait for their turn without holding a thread: first among their owner's, so that an owner with many has no
    more than its share among those that all wait for.
    """

    def __init__(self, each: int) -> None:
        self._each, self._all = each, CapacityLimiter(2 * each)
        self._owners: dict[str, CapacityLimiter] = {}
        self._inside: Counter[str] = Counter()

    @property
    def owners(self) -> int:
        """How many owners have something running or waiting."""
        return len(self._owners)

    async def run(self, owner: str, work: Callable[[], T]) -> T:
        """What the function gives. Cancelled, it waits for its turn no longer; once begun, it goes on to its end."""
        mine = self._owners.setdefault(owner, CapacityLimiter(self._each))
        self._inside[owner] += 1
        try:
            async with mine:
                return await to_thread.run_sync(work, limiter=self._all)
        finally:
            self._inside[owner] -= 1
            if not self._inside[owner]:
                del self._inside[owner], self._owners[owner]


@dataclass(slots=True)
class Slots:
    """How many of each kind run at once, in this process. large: uploads that take long to decode."""

    uploads: Turns = field(default_factory=lambda: Turns(8))
    large: Turns = field(default_factory=lambda: Turns(max(2, os.cpu_count() or 1)))
    groups: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(4))
    decodes: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(4 * (os.cpu_count() or 1)))
    _owners: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def group_of(self, owner: str) -> Iterator[None]:
        """Be one of the owner's groups that are being received. Raises TooManyRequests."""
        if self._owners[owner] >= GROUPS_PER_OWNER:
            raise TooManyRequests(f"{GROUPS_PER_OWNER} groups of yours are being received: send this one afterwards")
        self._owners[owner] += 1
        try:
            yield
        finally:
            self._owners[owner] -= 1
            self._owners += Counter()  # drops owners without any
