"""How fast this device fits, measured, so that batches can be cut to a length in seconds."""

from __future__ import annotations

import time

import numpy as np

from core.codec.engines.base import Engine, Rollout, Targets
from core.codec.rule import RuleShape

_PROBE_PATCHES = 4


def seconds_per_patch_iteration(engine: Engine, shape: RuleShape, rollout: Rollout, size: int) -> float:
    """Time of one training iteration of one patch of size × size, in a small batch; the better of two trials."""
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.05, (_PROBE_PATCHES, shape.parameters)).astype(np.float32)
    seeds = np.zeros((1, shape.channels, size, size), dtype=np.float32)
    targets = Targets(
        pixels=np.zeros((_PROBE_PATCHES, shape.visible, size, size), dtype=np.float32),
        extents=np.full((_PROBE_PATCHES, 2), size, dtype=np.int32),
    )
    times = []
    for _ in range(3):
        start = time.perf_counter()
        engine.loss_and_gradients(shape, weights, seeds, targets, rollout)
        times.append(time.perf_counter() - start)
    return min(times[1:]) / _PROBE_PATCHES  # the first trial pays for compiling and for cold caches


def patches_per_batch(seconds_per_iteration: float, iterations: int, batch_seconds: float) -> int:
    """How many patches one message carries: as many as fit in the time, at least one."""
    return max(1, int(batch_seconds / (seconds_per_iteration * iterations)))
