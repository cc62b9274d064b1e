"""Engines: the rollout, differentiated. Which one runs is chosen here, never by the caller's import."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import sys

from regrow.core.codec.fit.engines.base import Engine
from regrow.core.errors import InvalidSettings

ENGINES = ("cuda", "numba", "torch")


def make_engine(name: str | None = None) -> Engine:
    """The engine of this name, else the one that REGROW_ENGINE names, else the fastest for this machine.

    Not thread-safe: one engine per thread. Raises InvalidSettings for a name that is not in ENGINES.
    """
    name = name or os.environ.get("REGROW_ENGINE") or ("cuda" if _has_gpu() else "numba")
    # Imported here, because the API process must run where no torch is installed.
    match name:
        case "cuda":
            if not _has_gpu():
                raise InvalidSettings("the engine cuda needs an NVIDIA GPU that torch can use, and Triton")
            from regrow.core.codec.fit.engines.gpu.engine import CudaEngine

            return CudaEngine()
        case "numba":
            from regrow.core.codec.fit.engines.cpu.engine import NumbaEngine

            return NumbaEngine()
        case "torch":
            from regrow.core.codec.fit.engines.torch.engine import TorchEngine

            return TorchEngine()
        case _:
            raise InvalidSettings(f"there is no engine {name!r}: choose one of {', '.join(ENGINES)}")


def _has_gpu() -> bool:
    """Whether the CUDA engine can run: a GPU that torch can use, and Triton."""
    if not _has_driver():  # torch would say the same, but takes seconds to import
        return False
    import torch

    return torch.cuda.is_available() and importlib.util.find_spec("triton") is not None


def _has_driver() -> bool:
    """Whether NVIDIA's driver is installed: torch loads this very library."""
    with contextlib.suppress(OSError):
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        return True
    return False
