"""Trainers: an engine and an optimizer working on G rules, wherever their weights are."""

from __future__ import annotations

from regrow.core.codec.fit.engines.base import Engine
from regrow.core.codec.fit.trainers.base import Trainer, Training

__all__ = ["Trainer", "Training", "make_trainer"]


def make_trainer(engine: Engine, training: Training) -> Trainer:
    """The trainer for this engine: on the GPU for the CUDA engine, on the CPU for the others."""
    if engine.name == "cuda":
        from regrow.core.codec.fit.engines.gpu.engine import (
            CudaEngine,  # imports triton, which is only there with a GPU
        )
        from regrow.core.codec.fit.trainers.device import DeviceTrainer

        assert isinstance(engine, CudaEngine)  # noqa: S101
        return DeviceTrainer(engine, training)
    from regrow.core.codec.fit.trainers.host import HostTrainer  # imports numba, which takes a while

    return HostTrainer(engine, training)
