"""Turns for threads, shared between owners so that no owner can hold all of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from regrow.api.submit.gone import Gone

LOOK_SECONDS = 0.2
"""Seconds between two looks, by a thread that waits for its turn, at whether its client is still there."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    owner: str
    turn: threading.Event = field(default_factory=threading.Event)


class ThreadTurns:
    """So many at once of one owner, and one more of all: so that a second owner finds one free.

    A turn goes to the owner who has fewest, and among as many to who came first. Thread-safe.
    """

    def __init__(self, each: int) -> None:
        self._each, self._free = each, each + 1
        self._running: Counter[str] = Counter()
        self._waiting: list[_Waiting] = []  # as they came
        self._lock = threading.Lock()

    @contextmanager
    def of(self, owner: str, gone: Gone) -> Iterator[None]:
        """Waits for a turn. Raises ClientDisconnect when the client goes meanwhile."""
        mine = _Waiting(owner)
        with self._lock:
            self._waiting.append(mine)
            self._hand_out()
        try:
            while not mine.turn.wait(LOOK_SECONDS):
                gone.check()
            yield
        finally:
            with self._lock:
                self._leave(mine)
                self._hand_out()

    def _leave(self, mine: _Waiting) -> None:
        if not mine.turn.is_set():
            self._waiting.remove(mine)
            return
        self._free += 1
        self._running[mine.owner] -= 1
        self._running += Counter()  # drops owners without any

    def _hand_out(self) -> None:
        while self._free:
            allowed = [each for each in self._waiting if self._running[each.owner] < self._each]
            if not allowed:
                return
            chosen = min(allowed, key=lambda each: self._running[each.owner])
            self._waiting.remove(chosen)
            self._free -= 1
            self._running[chosen.owner] += 1
            chosen.turn.set()
