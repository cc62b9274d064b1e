"""What a trainer is given, and what it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from regrow.core.codec.fit.checkpoint import Arrays
from regrow.core.codec.fit.engines.base import Array, Targets
from regrow.core.codec.presets import OptimizerName
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape

NOISE_SHARE = 0.2
"""Weight noise is so much of a quantisation step size wide. Rounding that compensates its errors disturbs a rule less
than noise of a whole step size would, and training against less noise ends higher."""

RATE_SHARE = 0.25
"""How much training with noise cares for bits: 1 where halving all weights is worth as much as halving the loss."""


@dataclass(frozen=True, slots=True)
class Training:
    """G rules to train.

    shape: of all of them. seed: float32 (channels, height, width), what they are grown from. targets: the G pictures
    that they shall grow, as `rollout` says. optimizer: its name. weights: float32 (G, parameters), where to start.
    keys: int64 (G,), of the rules' weight noise (core.codec.fit.noise). frozen: bool (G, parameters), weights that stay
    as they are, or None.
    """

    shape: RuleShape
    seed: Array
    targets: Targets
    rollout: Rollout
    optimizer: OptimizerName
    weights: Array
    keys: npt.NDArray[np.int64]
    frozen: npt.NDArray[np.bool_] | None = None


SMALLEST_SQUARE = 1e-12
"""Added to a tensor's mean square, which may be zero."""


class Trainer(Protocol):
    """Holds the rules' weights, the best of them so far, and the optimizer's state."""

    def iterate(self, iteration: int, learning_rate: float, *, noisy: bool) -> Array:
        """One iteration for every rule; the losses that led to it, float32 (G,).

        noisy: with weight noise, and with a gradient towards weights that cost fewer bits.
        """
        ...

    def keep(self, indices: npt.NDArray[np.intp]) -> None:
        """Go on with these rules only, which are then numbered in this order."""
        ...

    def current(self) -> Array:
        """The rules' weights as they are, float32 (G, parameters)."""
        ...

    def best(self) -> tuple[Array, Array]:
        """The rules' best weights (G, parameters) and the losses (G,) that made them the best."""
        ...

    def state(self) -> Arrays:
        """All that the next iteration depends on, with one row per rule. Not to be changed, nor to be used after it."""
        ...

    def restore(self, state: Arrays) -> None:
        """Go on from the state of a trainer of as many rules. Takes over the arrays."""
        ...
