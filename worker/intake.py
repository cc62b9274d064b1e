"""Which queues a worker takes messages from right now, and what wakes Celery's loop when that, or a step, ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.request import Request


class Intake:
    """Opens and closes a consumer's queues. `set_open` and `wake` may be called by any thread; the rest is done by the
    consumer's own, in its loop.

    The loop sleeps for up to a second at a time. Celery's pool of threads does not wake it: without this, the next
    message would wait so long after each acknowledgement.
    """

    def __init__(self, queues: Sequence[str]) -> None:
        self._queues = queues
        self._open = True
        self._consumer: Any = None
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)

    def set_open(self, is_open: bool) -> None:
        """Whether messages are to be taken. What was taken already is not given back."""
        if is_open != self._open:
            self._open = is_open
            self.wake()

    def wake(self) -> None:
        """Have the loop look for what is to be done."""
        with contextlib.suppress(BlockingIOError):  # full: it will wake
            os.write(self._writer, b"!")

    def attached(self, consumer: type[Consumer]) -> type[Consumer]:
        """For Celery's `worker_consumer`: a consumer of this kind whose queues are opened and closed."""
        intake = self

        class Attached(consumer):  # type: ignore[misc]
            def on_ready(self) -> None:
                super().on_ready()
                intake._attach(self)  # anew at each connection

        return Attached

    def _attach(self, consumer: Any) -> None:
        self._consumer = consumer
        consumer.hub.add_reader(self._reader, self._on_wake)
        self._apply()

    def _on_wake(self, *_: object) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 4096)
        self._apply()

    def _apply(self) -> None:
        for queue in self._queues:
            takes = self._consumer.task_consumer.consuming_from(queue)
            if self._open and not takes:
                self._consumer.add_task_queue(queue)
            elif takes and not self._open:
                self._consumer.cancel_task_queue(queue)


def waking_request(intake: Intake) -> type[Request]:
    """For a Celery task's `Request`: wakes the loop whenever a message is done with."""

    class WakingRequest(Request):  # type: ignore[misc]
        def acknowledge(self) -> None:
            super().acknowledge()
            intake.wake()

        def reject(self, requeue: bool = False) -> None:
            super().reject(requeue)
            intake.wake()

    return WakingRequest
