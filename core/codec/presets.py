"""Presets (how large a rule is) and efforts (how long it is fitted), by name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.codec.rule import RuleShape

PATCH_SIZE = 40


class Preset(StrEnum):
    """The paper's Table I."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"

    def shape(self, visible: int = 3) -> RuleShape:
        """The rule's sizes for pictures with `visible` channels."""
        channels, hidden = _SIZES[self]
        return RuleShape(channels=channels, hidden=hidden, visible=visible)


_SIZES = {Preset.SMALL: (14, 20), Preset.MEDIUM: (16, 32), Preset.LARGE: (16, 40)}


class Effort(StrEnum):
    """How much training a patch gets."""

    DRAFT = "draft"
    STANDARD = "standard"
    THOROUGH = "thorough"


@dataclass(frozen=True, slots=True)
class Schedule:
    """iterations: training iterations per patch; learning_rate: its peak, decayed to zero along a cosine."""

    iterations: int
    learning_rate: float = 1e-2


SCHEDULES = {
    Effort.DRAFT: Schedule(iterations=300),
    Effort.STANDARD: Schedule(iterations=1200),
    Effort.THOROUGH: Schedule(iterations=4000),
}
