"""The work units that this process holds, and that it goes on holding them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from regrow.core.jobs.queue import WorkQueue
from regrow.core.jobs.work_unit import WorkUnit

STUCK_SECONDS = 600.0
"""A unit that gives no sign of life for so long is let go: longer than compiling every kernel on a busy machine."""


@dataclass(slots=True, eq=False)
class Hold:
    """One unit in work. lost: set when it must not go on. sign_of_life: when it last gave one, in seconds of the
    monotonic clock."""

    unit: WorkUnit
    lost: bool = False
    sign_of_life: float = field(default_factory=time.monotonic)

    def touch(self) -> None:
        """Give a sign of life."""
        self.sign_of_life = time.monotonic()


class Leases:
    """Holds units for the threads that work on them; `renew` is called by another, every so often."""

    def __init__(self, queue: WorkQueue) -> None:
        self.queue = queue
        self._holds: list[Hold] = []
        self._lock = threading.Lock()

    @contextmanager
    def holding(self, unit: WorkUnit) -> Iterator[Hold]:
        """Hold a unit that was claimed while the block runs. What becomes of it afterwards is the block's to say."""
        hold = Hold(unit)
        with self._lock:
            self._holds.append(hold)
        try:
            yield hold
        finally:
            with self._lock:
                self._holds.remove(hold)

    @property
    def names(self) -> list[str]:
        """What is being worked on, for people."""
        with self._lock:
            return [f"{hold.unit.job_id}: {hold.unit.name}" for hold in self._holds]

    def renew(self) -> None:
        """Renew all leases of units that live. Raises ServiceUnavailable; then they live on until their end."""
        with self._lock:
            now = time.monotonic()
            living = [hold for hold in self._holds if not hold.lost and now - hold.sign_of_life < STUCK_SECONDS]
            if not living:
                return
            answers = self.queue.renew([hold.unit for hold in living])
            for hold, ours in zip(living, answers, strict=True):
                hold.lost = not ours

    def progressed(self, hold: Hold, far: int) -> None:
        """Note in the queue how far a unit came, in millionths of its work. Raises ServiceUnavailable."""
        with self._lock:  # the unit's text changes: not while it is being renewed
            hold.unit = self.queue.progressed(hold.unit, far)
