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
    """How one patch is trained: first as well as it can be, then with weight noise, so that it survives rounding.

    iterations, noisy_iterations: at most so many of each. learning_rate: its peak in both phases. decays: after a short
    warm-up, along a cosine to zero; otherwise it is constant. steps: of the rollout, where the effort and not the seed
    decides them.
    """

    iterations: int
    noisy_iterations: int = 0
    learning_rate: float = 1e-2
    decays: bool = True
    optimizer: OptimizerName = OptimizerName.SOAP
    steps: int | None = None

    @property
    def total(self) -> int:
        """Iterations of both phases."""
        return self.iterations + self.noisy_iterations


SCHEDULES = {
    Effort.DRAFT: Schedule(iterations=100, noisy_iterations=200),
    Effort.STANDARD: Schedule(iterations=1500, noisy_iterations=1500),
    Effort.THOROUGH: Schedule(iterations=4000, noisy_iterations=4000),
    # Batch 8 in the paper: with one seed and synchronous updates its eight items are identical, so one is enough.
    Effort.PAPER: Schedule(
        iterations=40_000, learning_rate=2e-3, decays=False, optimizer=OptimizerName.ADAM, steps=224
    ),
}
