"""The queue of work units: who works on what. Fair between owners, with leases, at least once (docs/adr/0006).

A unit is handed out with a lease; whoever holds it renews it. A lease that ends, because its worker was lost, is put
back by the sweeper. A unit may so be worked on twice; its result counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from regrow.core.errors import VersionSkew
from regrow.core.jobs.messages import PROTOCOL, QueueName
from regrow.core.jobs.model import JobFailure
from regrow.core.jobs.redis_keys import Key
from regrow.core.jobs.scripts import load_script
from regrow.core.jobs.work_unit import WorkUnit
from regrow.core.stores.redis import redis_errors
from regrow.core.stores.redis_client import RedisClient
from regrow.core.version import VERSION

MOST_PATCHES = 4096
"""How many patches one batch may have, whatever a device can do."""

WORKER_LOST = JobFailure("worker-lost", "the worker was lost, each time it was tried")


@dataclass(frozen=True, slots=True)
class Claim:
    """unit: that is the worker's now. wake: whether there is more to do, and nobody on the way to it."""

    unit: WorkUnit
    wake: bool


class WorkQueue:
    """Work units in Redis. lease: how long a unit is held without being renewed, in seconds.

    Every method raises ServiceUnavailable when Redis cannot be reached.
    """

    def __init__(self, redis: RedisClient, lease: float) -> None:
        self._redis = redis
        self.lease = lease
        self._scripts = {
            name: load_script(redis, name)
            for name in ("claim", "renew", "progressed", "finish", "put_back", "expire", "note", "stalled")
        }

    def claim(self, most_cost: float, workers: int = 1) -> Claim | None:
        """The next unit, or None. most_cost: what the worker does in one batch (core.codec.encode.plan.patch_cost).

        Raises VersionSkew where the service speaks a later protocol than this worker.
        """
        arguments = (int(self.lease * 1000), f"{most_cost:.0f}", MOST_PATCHES, workers, str(QueueName.WORK), PROTOCOL)
        found = self._run("claim", *arguments)
        if found and not found[0]:
            raise VersionSkew(
                f"the service speaks protocol {found[1]}, this worker (release {VERSION}) {PROTOCOL}: "
                "install one release on both"
            )
        return Claim(WorkUnit.of(found[0]), bool(found[1])) if found else None

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
        """End the lease of a unit of a job that has ended."""
        with redis_errors():
            self._redis.zrem(Key.LEASES, unit.lease)

    def hand_back(self, unit: WorkUnit) -> bool:
        """Give up a unit through no fault of its own (a shutdown, an outage); whether it was still this caller's."""
        return bool(self._run("put_back", unit.lease, 0, "", ""))

    def fail(self, unit: WorkUnit, failure: JobFailure) -> bool:
        """Give up a unit that failed. After three tries it is split or abandoned."""
        return bool(self._run("put_back", unit.lease, 1, failure.type, failure.message))

    def note_progress(self, unit: WorkUnit, done: float) -> None:
        """How far a unit is. done: patches finished, in units of one patch."""
        self._run("note", unit.lease, f"{done:.3f}")

    def expire(self) -> int:
        """Put back units whose lease has ended, a few at a time; how many had."""
        return int(self._run("expire", WORKER_LOST.type, WORKER_LOST.message))

    def stalled(self) -> list[str]:
        """Open jobs of which nothing is handed out or to be handed out."""
        return list(self._run("stalled"))

    def is_waiting(self) -> bool:
        """Whether there is a unit to claim and no message on its way to a worker."""
        with redis_errors():
            return bool(self._redis.exists(Key.OWNERS)) and not self._redis.llen(QueueName.WORK)

    def _run(self, name: str, *arguments: str | int) -> Any:
        with redis_errors():
            return self._scripts[name](args=arguments)
