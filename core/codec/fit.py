"""Fitting: training the rules of many patches side by side.

Each rule has its own random numbers, loss and best weights, so a patch's result does not depend on the batch it is in.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from core.codec.engines.base import Array, Engine, Rollout, Targets
from core.codec.optimizer import TorchSoap
from core.codec.presets import Schedule
from core.codec.quantization import choose_step_codes, steps_per_weight
from core.codec.rule import RuleShape, initial_weights
from core.errors import FitStopped

WARM_UP_ITERATIONS = 10
NOISE_FREE_SHARE = 0.2
"""Share of the iterations at the start that run without weight noise: the steps mean nothing yet."""


@dataclass(frozen=True, slots=True)
class FitProgress:
    """share: of the iterations done, in [0, 1]; mse: float32 (G,), each rule's lowest loss so far."""

    share: float
    mse: Array


def _never() -> bool:
    return False


def _ignore(progress: FitProgress) -> None:
    del progress


@dataclass(frozen=True, slots=True)
class FitHooks:
    """What a fit asks and tells while it runs, every few iterations.

    should_stop: true ends the fit with FitStopped. deadline: time.monotonic() at which the fit ends with the best
    weights so far. on_progress: called with what is done.
    """

    should_stop: Callable[[], bool] = _never
    deadline: float = math.inf
    on_progress: Callable[[FitProgress], None] = _ignore
    every: int = 5


@dataclass(slots=True)
class _Best:
    weights: Array
    losses: Array = field(init=False)

    def __post_init__(self) -> None:
        self.losses = np.full(len(self.weights), np.inf, dtype=np.float32)

    def offer(self, weights: Array, losses: Array) -> None:
        better = losses < self.losses
        self.weights[better] = weights[better]
        self.losses[better] = losses[better]


@dataclass(frozen=True, slots=True)
class Fitted:
    """weights: float32 (G, parameters), each rule's best; mse: float32 (G,), their loss; iterations: how many ran."""

    weights: Array
    mse: Array
    iterations: int


def learning_rate(schedule: Schedule, iteration: int) -> float:
    """Linear warm-up over the first ten iterations, then a cosine from the peak to zero."""
    warm_up = min(1.0, (iteration + 1) / WARM_UP_ITERATIONS)
    return schedule.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * iteration / schedule.iterations))


def weight_noise(weights: Array, shape: RuleShape, rngs: Sequence[np.random.Generator]) -> Array:
    """Uniform noise one quantisation step wide, so that training finds weights that survive rounding."""
    steps = steps_per_weight(choose_step_codes(weights, shape), shape)
    uniform = np.stack([rng.random(shape.parameters, dtype=np.float32) for rng in rngs])
    noise: Array = (uniform - np.float32(0.5)) * steps
    return noise


def fit(
    engine: Engine,
    shape: RuleShape,
    seed: npt.NDArray[np.float32],
    targets: Targets,
    rollout: Rollout,
    schedule: Schedule,
    rngs: list[np.random.Generator],
    hooks: FitHooks | None = None,
) -> Fitted:
    """Train one rule per target, from `seed` (channels, size, size), with one generator per rule.

    Raises FitStopped when the hooks ask for it.
    """
    hooks = hooks or FitHooks()
    weights = initial_weights(shape, rngs)
    best = _Best(weights.copy())
    soap = TorchSoap(shape, len(weights))
    iteration = 0
    while iteration < schedule.iterations:
        if iteration % hooks.every == 0:
            if hooks.should_stop():
                raise FitStopped("the fit was asked to stop")
            if time.monotonic() >= hooks.deadline:
                break
            hooks.on_progress(FitProgress(iteration / schedule.iterations, best.losses))
        tried = weights
        if iteration >= NOISE_FREE_SHARE * schedule.iterations:
            tried = weights + weight_noise(weights, shape, rngs)
        result = engine.loss_and_gradients(shape, tried, seed[None], targets, rollout)
        best.offer(weights, result.losses)
        rates = torch.full((len(weights),), learning_rate(schedule, iteration))
        soap.step(torch.from_numpy(weights), torch.from_numpy(result.weights), rates)
        iteration += 1
    hooks.on_progress(FitProgress(1.0, best.losses))
    return Fitted(best.weights, best.losses, iteration)
