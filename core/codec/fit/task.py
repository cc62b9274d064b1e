"""What a fit is asked for, and what it asks and tells while it runs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regrow.core.codec.fit.checkpoint import ignore, never
from regrow.core.codec.fit.engines.base import Array, Targets
from regrow.core.codec.presets import Schedule
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.seeds import SeedKind, make_seed


@dataclass(frozen=True, slots=True)
class FitProgress:
    """share: of each rule's work that is done, in [0, 1]; (G,). phase: what is being done, for people.

    No quality: what a rule can do before it is rounded is not what the picture will be.
    """

    share: npt.NDArray[np.float64]
    phase: str


def nobody() -> Collection[int]:
    """No rule leaves: for a hook that nobody set."""
    return ()


@dataclass(frozen=True, slots=True)
class FitHooks:
    """What a fit asks and tells every few iterations.

    should_stop: true ends the fit with FitStopped. leaving: numbers of the rules that nobody waits for any more, which
    leave the training. on_progress: called with what is done.
    """

    should_stop: Callable[[], bool] = never
    leaving: Callable[[], Collection[int]] = nobody
    on_progress: Callable[[FitProgress], None] = ignore


@dataclass(frozen=True, slots=True)
class FitTask:
    """What to fit.

    shape: of all G rules. seed: what pictures are grown from. targets: the G pictures. rollout: how they are grown.
    schedule: how the rules are trained and rounded. identities: a (seed number, patch number) per target; a rule's
    random numbers follow from it alone. coarseness: factors of the usual quantisation step sizes; each rule is rounded
    once with each. one_byte: use all values of a byte instead, whatever the factors.
    """

    shape: RuleShape
    seed: SeedKind
    targets: Targets
    rollout: Rollout
    schedule: Schedule
    identities: tuple[tuple[int, int], ...]
    coarseness: tuple[float, ...] = (1.0,)
    one_byte: bool = False

    @property
    def state(self) -> Array:
        """The seed; float32 (channels, height, width)."""
        return make_seed(self.seed, self.shape, self.targets.pixels.shape[2])
