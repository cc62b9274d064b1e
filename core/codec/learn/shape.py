"""The sizes of a model that learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

COLOURS = 3


@dataclass(frozen=True, slots=True)
class ModelShape:
    """channels: values of a cell, the first three of them opponent colours. coarse, fine: hidden units of the rule
    that grows every scale, and of the one that finishes the picture. coarse_steps, fine_steps: their updates.
    widths: hidden units of the two layers of a law network. contexts: whether laws see neighbouring seeds."""

    channels: int = 16
    coarse: int = 40
    fine: int = 48
    coarse_steps: int = 4
    fine_steps: int = 4
    widths: tuple[int, int] = (48, 32)
    contexts: bool = True

    @property
    def hidden_channels(self) -> int:
        """Values of a cell that are not colours."""
        return self.channels - COLOURS

    @classmethod
    def of(cls, stored: dict[str, Any]) -> ModelShape:
        """From JSON, in which a tuple is a list. Raises TypeError."""
        first, second = stored["widths"]
        return cls(**stored | {"widths": (first, second)})
