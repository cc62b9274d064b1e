"""Where and when a measurement was made, and how fast the machine multiplies matrices."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numba
import torch


def machine() -> dict[str, str]:
    """Processor, cores, system, versions and time."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "system": f"{platform.system()} {platform.machine()}",
        "versions": f"Python {platform.python_version()}, numba {numba.__version__}, torch {torch.__version__}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": "regrow " + " ".join(Path(word).name for word in sys.argv[1:]),  # folders are nobody's business
    }


def best_seconds(work: Callable[[], object], trials: int, at_least: float = 0.0) -> float:
    """The shortest of several trials: what the work takes when nobody disturbs it."""
    best, start = float("inf"), time.perf_counter()
    done = 0
    while done < trials or time.perf_counter() - start < at_least:
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
        done += 1
    return best


def sgemm_gflops(threads: int) -> float:
    """The machine's own float32 peak: a product of 1024×1024 matrices by PyTorch's BLAS, in 1e9 operations a second."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        left, right = torch.randn(1024, 1024), torch.randn(1024, 1024)
        out = torch.empty(1024, 1024)
        return 2 * 1024**3 / best_seconds(lambda: torch.mm(left, right, out=out), 20) / 1e9
    finally:
        torch.set_num_threads(before)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
