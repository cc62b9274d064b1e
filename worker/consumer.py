"""Celery's consumer, made to outlast a broker that answers and yet refuses: read-only, short of replicas, loading.

Celery itself reconnects after errors of the network only, and ends the process at all others.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from typing import Any

from celery.exceptions import CPendingDeprecationWarning
from celery.worker import state
from celery.worker.consumer import Consumer
from redis.exceptions import RedisError

from regrow.core.errors import ServiceUnavailable

log = logging.getLogger("regrow.worker")

RESTS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each attempt to connect; the first again once a connection has lasted."""

LASTED_SECONDS = 10.0
_SLICE_SECONDS = 0.2
"""How long a signal to stop may go unseen."""


def patient_consumer(check: Callable[[], None]) -> type[Consumer]:
    """For Celery's `worker_consumer`. check: raises ServiceUnavailable while the broker cannot be used."""

    class PatientConsumer(Consumer):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            self.connection_errors: tuple[type[BaseException], ...] = (*self.connection_errors, RedisError)
            self._attempts, self._connected = 0, 0.0
            # Given at each lost connection, about a setting that core.jobs.messages makes. Celery turns it on.
            warnings.simplefilter("ignore", CPendingDeprecationWarning)

        def connect(self) -> Any:
            if time.monotonic() - self._connected > LASTED_SECONDS:
                self._attempts = 0
            self._rest()
            self._wait_until_usable()
            connection = super().connect()
            self._connected = time.monotonic()
            # What the event loop hands on to `start` above, instead of logging it and going on for ever.
            connection.transport.connection_errors = self.connection_errors
            return connection

        def _wait_until_usable(self) -> None:
            told = False
            while True:
                try:
                    check()
                    return
                except ServiceUnavailable as error:
                    if not told:
                        log.warning("%s; waiting for it", error)
                    told = True
                    self._rest()

        def _rest(self) -> None:
            """Longer each time. Raises SystemExit where the worker is asked to stop."""
            until = time.monotonic() + RESTS[min(self._attempts, len(RESTS) - 1)]
            self._attempts += 1
            state.maybe_shutdown()
            while time.monotonic() < until:
                time.sleep(_SLICE_SECONDS)
                state.maybe_shutdown()

    return PatientConsumer
