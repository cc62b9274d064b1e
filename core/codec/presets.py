"""Presets (how large a rule is) and efforts (how it is fitted), by name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from regrow.core.codec.rule import RuleShape

PATCH_SIZE = 40


class Preset(StrEnum):
    """The paper's Table I (small, medium, large), and smaller and larger ones for flat and for rich patches."""

    MICRO = "micro"
    TINY = "tiny"
    MINI = "mini"
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"
    HUGE = "huge"

    def shape(self, visible: int = 3) -> RuleShape:
        """The rule's sizes for pictures with `visible` channels."""
        channels, hidden = _SIZES[self]
        return RuleShape(channels=channels, hidden=hidden, visible=visible)


_SIZES = {
    Preset.MICRO: (6, 4),
    Preset.TINY: (8, 8),
    Preset.MINI: (12, 14),
    Preset.SMALL: (14, 20),
    Preset.MEDIUM: (16, 32),
    Preset.LARGE: (16, 40),
    Preset.HUGE: (20, 56),
}


class OptimizerName(StrEnum):
    """What trains rules (core.codec.fit.optimizers)."""

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
    warm-up, along a cosine to zero; otherwise it is constant. optimizer: what trains. steps: of the rollout, where the
    effort and not the seed decides them. groups: of weights that are rounded together (core.codec.fit.rounding), 0 for
    rounding to nearest. tuning_iterations: of training what is not rounded yet, between two groups.
    """

    iterations: int
    noisy_iterations: int = 0
    learning_rate: float = 1e-2
    decays: bool = True
    optimizer: OptimizerName = OptimizerName.SOAP
    steps: int | None = None
    groups: int = 1
    tuning_iterations: int = 0

    @property
    def total(self) -> int:
        """Iterations of both phases."""
        return self.iterations + self.noisy_iterations

    @property
    def tuning(self) -> int:
        """Iterations of tuning, between all the groups of one rounding."""
        return max(0, self.groups - 1) * self.tuning_iterations

    def rounding_flops(self, shape: RuleShape, roundings: int = 1) -> float:
        """Floating-point operations of the Cholesky factors of one patch, rounded so many times.

        A third of n³ each, n being the weights that are free, which are fewer with every group.
        """
        if not self.groups:
            return 0.0
        factors = _TRIAL_FACTORS + sum(share**3 for share in self.free_shares)
        return roundings * factors * shape.parameters**3 / 3

    @property
    def free_shares(self) -> list[float]:
        """Share of the weights that is not rounded yet, before each group and after the last."""
        return [left / self.groups for left in range(self.groups, -1, -1)] if self.groups else [1.0]

    def work(self, shape: RuleShape, roundings: int = 1) -> float:
        """What training and so many roundings take, in iterations of training.

        Following one weight's tangent, for the curvature, costs about a third of one.
        """
        tangents = sum(self.free_shares) * shape.parameters if self.groups else 0.0
        return self.total + roundings * (self.tuning + _TANGENT * tangents)


_TANGENT = 0.3
_TRIAL_FACTORS = 4  # that choose tilt and damping

SCHEDULES = {
    Effort.DRAFT: Schedule(iterations=100, noisy_iterations=200),
    Effort.STANDARD: Schedule(iterations=1500, noisy_iterations=1500, groups=4, tuning_iterations=100),
    Effort.THOROUGH: Schedule(iterations=4000, noisy_iterations=4000, groups=8, tuning_iterations=200),
    # Batch 8 in the paper: with one seed and synchronous updates its eight items are identical, so one is enough.
    Effort.PAPER: Schedule(
        iterations=40_000, learning_rate=2e-3, decays=False, optimizer=OptimizerName.ADAM, steps=224, groups=0
    ),
}
