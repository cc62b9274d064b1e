"""The queue of work units: who works on what. Fair between owners, at least once (docs/adr/0006, 0012).

A unit is handed out to a queue of messages, and begun by the worker that the message reaches, which from then on holds
it by a lease and renews it. One whose message or whose worker is lost is put back by the sweeper. A unit may so be
worked on twice; its result counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from regrow.core.jobs.messages import PROTOCOL, QueueName, later_protocol
from regrow.core.jobs.model import JobFailure
from regrow.core.jobs.scripts import load_script
from regrow.core.jobs.work_unit import WorkUnit
from regrow.core.stores.redis import redis_errors
from regrow.core.stores.redis_client import RedisClient

MOST_PATCHES = 4096
"""How many patches one batch may have, whatever a device can do."""

MOST_UNITS = 64
"""How many units one call hands out, so that no caller is kept for long. Whoever comes next hands out more."""

WORKER_LOST = JobFailure("worker-lost", "the worker was lost, each time it was tried")


@dataclass(frozen=True, slots=True)
class Expired:
    """What was handed out again: leases that ended, and messages that were lost on their way."""

    leases: int
    messages: int


NOTHING_EXPIRED = Expired(0, 0)


class WorkQueue:
    """Work units in Redis. lease: how long a unit is held without being renewed; pick_up: how long the message that
    names a unit may be on its way to a worker that is free; both in seconds. waiting: how many messages wait in a queue
    all of whose workers are busy, at least.

    Every method raises ServiceUnavailable when Redis cannot be reached.
    """

    def __init__(self, redis: RedisClient, lease: float, pick_up: float = 10.0, waiting: int = 1) -> None:
        self._redis = redis
        self.lease, self._pick_up, self._waiting = lease, pick_up, waiting
        names = (
            "dispatch",
            "begin",
            "renew",
            "progressed",
            "finish",
            "let_go",
            "put_back",
            "expire",
            "note",
            "stalled",
        )
        self._scripts = {name: load_script(redis, name) for name in names}

    def dispatch(self, most: int = MOST_UNITS) -> list[WorkUnit]:
        """Hand out the next units, as many as the live workers of the queues have room for; at most so many.

        Each must be sent to its queue, or handed back. Raises VersionSkew where the service speaks a later protocol
        than this process.
        """
        arguments = (int(self._pick_up * 1000), MOST_PATCHES, PROTOCOL, self._waiting, most, str(QueueName.ASSEMBLE))
        found = self._run("dispatch", *arguments)
        if found and not found[0]:
            raise later_protocol(int(found[1]))
        return [WorkUnit.of(lease) for lease in found]

    def begin(self, unit: WorkUnit, node: str) -> bool:
        """Begin a unit that was sent; its lease runs from now on. node: the worker's, for people.

        False where the message was stale: the unit was begun or sent again since, is done, or its job has ended.
        """
        return bool(self._run("begin", unit.lease, int(self.lease * 1000), node))

    def renew(self, units: Sequence[WorkUnit]) -> list[bool]:
        """Hold on to units for another lease. False for one that must not go on: it was handed to another or is done,
        or its job has ended."""
        return [bool(answer) for answer in self._run("renew", int(self.lease * 1000), *(unit.lease for unit in units))]

    def progressed(self, unit: WorkUnit, far: int) -> WorkUnit:
        """Note how far a unit came, in millionths of its work: one that comes ever further is no poison, and its tries
        are not counted."""
        return WorkUnit.of(self._run("progressed", unit.lease, far))

    def finish(self, unit: WorkUnit, *, failed: int = 0) -> bool:
        """Count a stored part's patches, each once; the last makes the job ready to be assembled.

        failed: how many of the patches could not be fitted and are flat. False where the job has ended.
        """
        return bool(self._run("finish", unit.lease, failed))

    def let_go(self, unit: WorkUnit) -> None:
        """End the lease of a unit that needs no more work."""
        self._run("let_go", unit.lease)

    def hand_back(self, unit: WorkUnit) -> bool:
        """Give up a unit, begun or not, through no fault of its own (a shutdown, an outage); whether it was still this
        caller's."""
        return bool(self._run("put_back", unit.lease, 0, "", ""))

    def fail(self, unit: WorkUnit, failure: JobFailure) -> bool:
        """Give up a unit that failed. After three tries it is split or abandoned."""
        return bool(self._run("put_back", unit.lease, 1, failure.type, failure.message))

    def note_progress(self, unit: WorkUnit, done: float) -> None:
        """How far a unit is. done: patches finished, in units of one patch."""
        self._run("note", unit.lease, f"{done:.3f}")

    def expire(self) -> Expired:
        """Put back units whose lease has ended or whose message was lost, a few at a time."""
        return Expired(*self._run("expire", WORKER_LOST.type, WORKER_LOST.message, int(self._pick_up * 1000)))

    def stalled(self) -> list[str]:
        """Open jobs of which nothing is handed out or to be handed out."""
        return list(self._run("stalled"))

    def _run(self, name: str, *arguments: str | int) -> Any:
        with redis_errors():
            return self._scripts[name](args=arguments)
