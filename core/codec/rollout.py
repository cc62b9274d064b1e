"""A rollout: how many updates a seed is grown by, and which cells take part in each."""

from __future__ import annotations

from dataclasses import dataclass

from regrow.core.codec.rule import MOST_STEPS
from regrow.core.errors import InvalidSettings


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a seed is grown.

    steps: number of updates T, at least 1.
    fire_rate: 0 for synchronous updates, else the share of cells, in (0, 1], that update at each step.
    fire_key: 32-bit key of the fire masks (core.codec.fire).
    """

    steps: int
    fire_rate: float = 0.0
    fire_key: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= MOST_STEPS:
            raise InvalidSettings(f"steps must be from 1 to {MOST_STEPS}, not {self.steps}")
        if not 0.0 <= self.fire_rate <= 1.0:
            raise InvalidSettings(f"fire rate must be from 0 to 1, not {self.fire_rate}")
