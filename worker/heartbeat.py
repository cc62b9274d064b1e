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
from regrow.core.jobs.messages import PROTOCOL, later_protocol
from regrow.core.jobs.wiring import Backend
from regrow.core.jobs.workers import WorkerRecord
from regrow.core.version import VERSION
from regrow.worker.intake import Intake
from regrow.worker.tasks import UnitRunner

log = logging.getLogger("regrow.worker")

MISSED = 4
"""Heartbeats after which a worker counts as gone."""


class Heartbeat:
    """A thread that renews leases and writes this worker's record until it is stopped. intake: of its messages,
    which is closed while the worker must take none. record: what does not change. interval: seconds.

    doing: what the worker does while it has no unit. ready: whether it takes units, as far as Celery is concerned.
    """

    def __init__(
        self, backend: Backend, runner: UnitRunner, intake: Intake, record: WorkerRecord, interval: float
    ) -> None:
        self._backend, self._runner, self._intake, self._interval = backend, runner, intake, interval
        self._record = record
        self.doing: str | None = None
        self.ready = False
        self._skew: str | None = None
        self._told_taking = False
        self._stopped, self._due = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def beat(self) -> None:
        """Beat now, as there is news."""
        self._due.set()

    def stop(self) -> None:
        """Stop, and say so, so that the worker is gone from the list at once."""
        self._stopped.set()
        self._due.set()
        self._thread.join(timeout=5)
        try:
            self._backend.workers.remove(self._record.id)
            self._backend.capacity.sum_up()
        except ServiceUnavailable:
            log.info("Redis is gone already: the heartbeat will expire by itself")

    def _run(self) -> None:
        reached = True
        while True:
            self._due.clear()
            try:
                self._beat()
                reached = True
            except ServiceUnavailable as error:
                if reached:
                    log.warning("%s; no heartbeat sent, no lease renewed", error)
                reached = False
            except Exception:
                log.exception("a heartbeat failed")
            self._due.wait(self._interval)
            if self._stopped.is_set():
                return

    def _beat(self) -> None:
        self._runner.leases.renew()
        record = self._now()
        wanted = self._backend.workers.report(record, expires_after=MISSED * self._interval)
        self._note_skew(wanted.protocol)
        self._note_drained(wanted.drained)
        taking = record.ready and not record.drained and record.refused is None
        self._intake.set_open(taking)
        if taking != self._told_taking:
            self._backend.capacity.sum_up()
            self._told_taking = taking
            self._backend.dispatcher.try_dispatch()

    def _note_skew(self, protocol: int) -> None:
        """protocol: that the service speaks. The next beat tells what becomes of it."""
        skew = str(later_protocol(protocol)) if protocol > PROTOCOL else None
        if skew != self._skew:
            self._skew = skew
            if skew is not None:
                log.error("%s", skew)
            self._due.set()

    def _note_drained(self, drained: bool) -> None:
        if drained != self._runner.drained:
            self._runner.drained = drained
            log.info("this worker takes %s", "no more, as it is drained" if drained else "steps again")
            self._due.set()

    def _now(self) -> WorkerRecord:
        runner = self._runner
        return self._record.model_copy(
            update={
                "current": ", ".join(runner.leases.names) or self.doing,
                "refused": runner.refused or self._skew,
                "ready": self.ready and not runner.stopping.is_set(),
                "drained": runner.drained,
                "batch_cost": runner.batch_cost,
                "memory_bytes": _resident_bytes(),
                "device_memory_bytes": _device_bytes(self._record.engine),
                "patch_iterations_per_second": runner.speed.iterations_per_second,
            }
        )


def record_of(engine: str, queues: tuple[str, ...], slots: int) -> WorkerRecord:
    """What this process says of itself from the beginning. engine: as in core.codec.fit.engines."""
    host, pid = socket.gethostname(), os.getpid()
    return WorkerRecord(
        id=f"{host}:{pid}",
        node=f"regrow-{pid}@{host}",
        host=host,
        pid=pid,
        device=_device(engine),
        engine=engine,
        version=VERSION,
        queues=queues,
        slots=slots,
        ready=False,
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
