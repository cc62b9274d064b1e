"""What a worker says of itself, every second or so, and that it still holds its leases; who stops saying so is gone."""

from __future__ import annotations

import logging
import os
import platform
import socket
import sys
import threading
from pathlib import Path

from regrow.core.errors import ServiceUnavailable
from regrow.core.jobs.workers import WorkerRecord, WorkerRegistry
from regrow.core.version import VERSION
from regrow.worker.tasks import UnitRunner

log = logging.getLogger("regrow.worker")

MISSED = 4
"""Heartbeats after which a worker counts as gone."""


class Heartbeat:
    """A thread that renews leases and writes this worker's record until it is stopped. interval: seconds.

    doing: what the worker does while it has no unit.
    """

    def __init__(self, registry: WorkerRegistry, runner: UnitRunner, engine: str, interval: float) -> None:
        self._registry, self._runner, self._interval = registry, runner, interval
        self.doing: str | None = None
        self._record = WorkerRecord(
            id=f"{socket.gethostname()}:{os.getpid()}",
            host=socket.gethostname(),
            pid=os.getpid(),
            device=_device(engine),
            engine=engine,
            version=VERSION,
        )
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop, and say so, so that the worker is gone from the list at once."""
        self._stopped.set()
        self._thread.join(timeout=5)
        try:
            self._registry.remove(self._record.id)
        except ServiceUnavailable:
            log.info("Redis is gone already: the heartbeat will expire by itself")

    def _run(self) -> None:
        reached = True
        while True:
            try:
                self._runner.leases.renew()
                self._runner.workers = self._registry.report(self._now(), expires_after=MISSED * self._interval)
                reached = True
            except ServiceUnavailable as error:
                if reached:
                    log.warning("%s; no heartbeat sent, no lease renewed", error)
                reached = False
            except Exception:
                log.exception("a heartbeat failed")
            if self._stopped.wait(self._interval):
                return

    def _now(self) -> WorkerRecord:
        runner = self._runner
        return self._record.model_copy(
            update={
                "current": ", ".join(runner.leases.names) or self.doing,
                "refused": runner.refused,
                "memory_bytes": _resident_bytes(),
                "device_memory_bytes": _device_bytes(self._record.engine),
                "patch_iterations_per_second": runner.speed.iterations_per_second,
            }
        )


def _device(engine: str) -> str:
    """The name of what does the work."""
    if engine == "cuda":
        import torch

        return torch.cuda.get_device_name()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _resident_bytes() -> int:
    """Of this process; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _device_bytes(engine: str) -> int | None:
    if engine != "cuda" or "torch" not in sys.modules:
        return None
    return int(sys.modules["torch"].cuda.memory_reserved())
