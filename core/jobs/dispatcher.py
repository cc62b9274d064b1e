"""Hands work units out and sends them: called by whoever enters a job or ends a unit, and by sweepers every second."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from regrow.core.errors import RegrowError, ServiceUnavailable
from regrow.core.jobs.messages import Sender
from regrow.core.jobs.queue import WorkQueue


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Thread-safe. queue: what there is to do. sender: of the messages that name it."""

    queue: WorkQueue
    sender: Sender

    def dispatch(self) -> int:
        """Send the queues of live workers as many units as they have room for; how many were sent.

        Units that cannot be sent are handed back; where that fails too, they are put back when their time to be picked
        up is over. Raises ServiceUnavailable, VersionSkew.
        """
        units = self.queue.dispatch()
        for place, unit in enumerate(units):
            try:
                self.sender.send(unit)
            except ServiceUnavailable:
                with contextlib.suppress(ServiceUnavailable):
                    for unsent in reversed(units[place:]):
                        self.queue.hand_back(unsent)
                raise
        return len(units)

    def try_dispatch(self) -> None:
        """As `dispatch`, where an outage is no harm: a sweeper will."""
        with contextlib.suppress(RegrowError):
            self.dispatch()
