"""How fast this device fits, measured, so that batches can be cut to a length in seconds."""

from __future__ import annotations

import os
import time

import numpy as np

from core.codec.codec import Work
from core.codec.engines.base import Engine, Rollout, Targets
from core.codec.presets import PATCH_SIZE, OptimizerName
from core.codec.rule import RuleShape
from core.codec.trainers import Training, make_trainer
from core.errors import RegrowError

PROBE_SECONDS = 0.2


ROUNDING_FLOPS = 1e10
"""Double-precision operations a second that rounding gets out of one core, at least."""


class TooSlow(RegrowError):
    """A single patch would take longer than a message may."""


class DeviceSpeed:
    """Measures once per size of rule and rollout. One thread at a time, as it trains on the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[tuple[RuleShape, int, bool, int], float] = {}

    def patches_per_batch(self, work: list[Work], rollout: Rollout, batch_seconds: float, limit: float) -> int:
        """How many patches one message carries, to take `batch_seconds` on this device; at least one.

        work: what a patch takes, for each size of rule. Raises TooSlow where a single patch takes longer than `limit`
        seconds.
        """

        def seconds(count: int) -> float:
            training = sum(
                self._seconds_per_patch_iteration(each.shape, rollout, count) * each.iterations for each in work
            )
            cores = min(count, os.cpu_count() or 1)
            return training + sum(each.rounding_flops for each in work) / (ROUNDING_FLOPS * cores)

        alone = seconds(1)
        if alone > limit:
            raise TooSlow(
                f"one patch would take {alone:.0f} s to fit on this worker ({self._engine.name} engine), and the limit "
                f"for jobs is {limit:.0f} s: choose a lower effort, or run `regrow encode`, which has no limit"
            )
        many = 1024 if self._engine.name == "cuda" else 8  # a GPU is only as fast as it can be with many
        return max(1, int(batch_seconds / max(seconds(many), alone / many)))

    def _seconds_per_patch_iteration(self, shape: RuleShape, rollout: Rollout, count: int) -> float:
        key = (shape, rollout.steps, rollout.fire_rate > 0, count)
        if key not in self._known:
            self._known[key] = _measure(self._engine, shape, rollout, count)
        return self._known[key]


def _measure(engine: Engine, shape: RuleShape, rollout: Rollout, count: int) -> float:
    """Seconds of one training iteration, optimizer and noise included, divided by the patches in it."""
    rng = np.random.default_rng(0)
    size = (PATCH_SIZE, PATCH_SIZE)
    training = Training(
        shape=shape,
        seed=rng.random((shape.channels, *size), dtype=np.float32),
        targets=Targets(
            rng.random((count, shape.visible, *size), dtype=np.float32), np.full((count, 2), PATCH_SIZE, dtype=np.int32)
        ),
        rollout=rollout,
        optimizer=OptimizerName.SOAP,
        weights=rng.normal(0, 0.05, (count, shape.parameters)).astype(np.float32),
        keys=np.arange(count, dtype=np.int64),
    )
    trainer = make_trainer(engine, training)
    trainer.step(0, 1e-3, noisy=True)  # pays for compiling and for cold caches
    start = time.perf_counter()
    for iteration in range(1, 1000):
        trainer.step(iteration, 1e-3, noisy=True)
        if time.perf_counter() - start > PROBE_SECONDS:
            break
    return (time.perf_counter() - start) / iteration / count
