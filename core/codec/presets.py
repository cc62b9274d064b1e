"""Presets (how large a rule is) and efforts (how it is fitted), by name."""

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


class OptimizerName(StrEnum):
    SOAP = "soap"
    ADAM = "adam"


class Effort(StrEnum):
    """How much training a patch gets; `paper` is the paper's own loop."""

    DRAFT = "draft"
    STANDARD = "standard"
    THOROUGH = "thorough"
    PAPER = "paper"


@dataclass(frozen=True, slots=True)
class Schedule:
    """How one patch is trained.

    iterations: at most so many. learning_rate: its peak. decays: after a short warm-up, along a cosine to zero;
    otherwise it is constant. noise_from: share of the iterations after which weight noise sets in; 1 for none.
    steps: of the rollout, where the effort and not the seed decides them.
    """

    iterations: int
    learning_rate: float = 1e-2
    decays: bool = True
    optimizer: OptimizerName = OptimizerName.SOAP
    noise_from: float = 0.2
    steps: int | None = None


SCHEDULES = {
    Effort.DRAFT: Schedule(iterations=300),
    Effort.STANDARD: Schedule(iterations=2500),
    Effort.THOROUGH: Schedule(iterations=10_000),
    # Batch 8 in the paper: with one seed and synchronous updates its eight items are identical, so one is enough.
    Effort.PAPER: Schedule(
        iterations=40_000, learning_rate=2e-3, decays=False, optimizer=OptimizerName.ADAM, noise_from=1.0, steps=224
    ),
}
