"""Threads for what takes long, apart from those that answer quick questions: neither waits for the other."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from anyio import CapacityLimiter

from core.errors import TooManyRequests

GROUPS_PER_OWNER = 2


@dataclass(slots=True)
class Slots:
    """How many of each kind run at once, in this process; more wait for their turn without holding a thread."""

    uploads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(8))
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
