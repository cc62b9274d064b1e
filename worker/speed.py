"""How much this worker does in a second, learned from what it has done: tells how many patches to claim at a time."""

from __future__ import annotations

import os
import threading

FIRST_GUESS = {"cuda": 1e13, "numba": 5e10 * (os.cpu_count() or 1), "torch": 5e9 * (os.cpu_count() or 1)}
"""Cost (core.codec.encode.plan.patch_cost) a second, by engine, before anything was measured."""

FORGETTING = 0.3
"""Weight of a new, lower measurement: one small batch says little about what a device can do."""


class Speed:
    """What this worker does in a second. Thread-safe. engine: the name of what fits, for a first guess.

    iterations_per_second: training iterations, times patches, of the last batch; None before one.
    """

    def __init__(self, engine: str) -> None:
        self._cost_per_second = FIRST_GUESS[engine]
        self._measured = False
        self._lock = threading.Lock()
        self.iterations_per_second: float | None = None

    def cost_in(self, seconds: float) -> float:
        """The cost that can be worked off in so many seconds."""
        return self._cost_per_second * seconds

    def learn(self, cost: float, patch_iterations: int, seconds: float) -> None:
        """Take in what a batch took that was fitted. cost: of all its patches. seconds: that it took.

        A faster one is believed at once: larger batches are what makes a GPU fast.
        """
        with self._lock:
            speed = cost / max(seconds, 1e-3)
            self.iterations_per_second = patch_iterations / max(seconds, 1e-3)
            if speed >= self._cost_per_second or not self._measured:
                self._cost_per_second, self._measured = speed, True
            else:
                self._cost_per_second += FORGETTING * (speed - self._cost_per_second)
