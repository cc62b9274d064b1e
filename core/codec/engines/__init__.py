"""Engines: the rollout, differentiated. Which one runs is chosen here, never by the caller's import."""

from __future__ import annotations

from core.codec.engines.base import Engine


def make_engine() -> Engine:
    """The engine for this machine. Not thread-safe: one engine per thread."""
    from core.codec.engines.torch_engine import (
        TorchEngine,  # the API process must run without torch
    )

    return TorchEngine()
