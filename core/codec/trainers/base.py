"""What a trainer is given, and what it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from core.codec.engines.base import Array, Rollout, Targets
from core.codec.presets import OptimizerName
from core.codec.rule import RuleShape

NOISE_STEPS = 127
"""Weight noise is one quantisation step wide, the tensor's largest weight divided by this (core.codec.quantization)."""


@dataclass(frozen=True, slots=True)
class Training:
    """G rules to train.

    seed: float32 (channels, height, width). weights: float32 (G, parameters), where to start. keys: int64 (G,), of the
    rules' weight noise (core.codec.noise).
    """

    shape: RuleShape
    seed: Array
    targets: Targets
    rollout: Rollout
    optimizer: OptimizerName
    weights: Array
    keys: npt.NDArray[np.int64]


class Trainer(Protocol):
    """Holds the rules' weights, the best of them so far, and the optimizer's state."""

    def step(self, iteration: int, learning_rate: float, *, noisy: bool) -> Array:
        """One iteration for every rule, with or without weight noise; the losses that led to it, float32 (G,)."""
        ...

    def keep(self, indices: npt.NDArray[np.intp]) -> None:
        """Go on with these rules only, which are then numbered in this order."""
        ...

    def best(self) -> tuple[Array, Array]:
        """The rules' best weights (G, parameters) and the losses (G,) that made them the best."""
        ...
