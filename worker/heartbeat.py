"""What a worker says of itself, every few seconds; who stops saying it is gone."""

from __future__ import annotations

import logging
import os
import platform
import socket
import threading
from collections.abc import Callable

from core.errors import ServiceUnavailable
from core.jobs.workers import WorkerRecord, WorkerRegistry
from core.version import VERSION

log = logging.getLogger("regrow.worker")


class Heartbeat:
    """A thread that writes this worker's record until it is stopped. current: the job and batch being worked on."""

    def __init__(self, registry: WorkerRegistry, engine: str, interval: float, current: Callable[[], str | None]):
        self._registry = registry
        self._record = WorkerRecord(
            id=f"{socket.gethostname()}:{os.getpid()}",
            host=socket.gethostname(),
            pid=os.getpid(),
            device=platform.processor() or platform.machine(),
            engine=engine,
            version=VERSION,
            current=None,
        )
        self._interval, self._current = interval, current
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
        while True:
            try:
                record = self._record.model_copy(update={"current": self._current()})
                self._registry.report(record, expires_after=4 * self._interval)
            except ServiceUnavailable:
                log.warning("Redis cannot be reached: no heartbeat sent")
            if self._stopped.wait(self._interval):
                return
