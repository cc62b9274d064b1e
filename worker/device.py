"""How fast this device fits, measured, so that batches can be cut to a length in seconds."""

from __future__ import annotations

import time

import numpy as np

from core.codec.engines.base import Engine, Rollout, Targets
from core.codec.presets import OptimizerName
from core.codec.rule import RuleShape
from core.codec.trainers import Training, make_trainer

PROBE_SECONDS = 0.2


def probe_patches(engine: Engine) -> int:
    """How many patches a probe trains at once: a GPU is only as fast as it can be with many."""
    return 1024 if engine.name == "cuda" else 8


def seconds_per_patch_iteration(engine: Engine, shape: RuleShape, rollout: Rollout, size: int) -> float:
    """Time of one training iteration of one patch of size × size, optimizer and noise included."""
    count = probe_patches(engine)
    rng = np.random.default_rng(0)
    targets = Targets(
        pixels=rng.random((count, shape.visible, size, size), dtype=np.float32),
        extents=np.full((count, 2), size, dtype=np.int32),
    )
    training = Training(
        shape=shape,
        seed=rng.random((shape.channels, size, size), dtype=np.float32),
        targets=targets,
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


def patches_per_batch(seconds_per_iteration: float, iterations: int, batch_seconds: float) -> int:
    """How many patches one message carries: as many as fit in the time, at least one."""
    return max(1, int(batch_seconds / (seconds_per_iteration * iterations)))
