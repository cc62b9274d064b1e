"""What the live workers of each queue can take, summed up for those who hand work out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from regrow.core.jobs.messages import PROTOCOL
from regrow.core.jobs.redis_keys import Key
from regrow.core.jobs.unserved import Line, unserved_lines
from regrow.core.jobs.workers import WorkerRecord, WorkerRegistry
from regrow.core.stores.redis import redis_errors
from regrow.core.stores.redis_client import RedisClient

_OWNERS = {Line.FIT: Key.OWNERS, Line.ASSEMBLE: Key.ENDING_OWNERS}


class Capacity:
    """Written anew by workers that begin or end to take work, and by sweepers every second, from the workers' records.

    Its methods raise ServiceUnavailable when Redis cannot be reached.
    """

    def __init__(self, redis: RedisClient, registry: WorkerRegistry) -> None:
        self._redis, self._registry = redis, registry

    def sum_up(self) -> None:
        """Write what the queues can take now."""
        found = capacity_of(self._registry.alive())
        with redis_errors():
            unserved = [line for line in unserved_lines(found) if self._redis.exists(_OWNERS[line])]
            seconds, micros = self._redis.time()
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.delete(Key.QUEUES)
                for queue, (slots, cost) in found.items():
                    pipe.hset(Key.QUEUES, queue, f"{slots} {cost:.0f}")
                for line in Line:
                    if line in unserved:
                        pipe.hsetnx(Key.UNSERVED, line, int(seconds) * 1000 + int(micros) // 1000)
                    else:
                        pipe.hdel(Key.UNSERVED, line)
                pipe.execute()

    def unserved(self) -> dict[str, str]:
        """Lines in which jobs wait that no live worker takes, and since when, in milliseconds since 1970."""
        with redis_errors():
            return self._redis.hgetall(Key.UNSERVED)


def capacity_of(workers: Iterable[WorkerRecord]) -> dict[str, tuple[int, float]]:
    """By queue: slots of the workers that take from it, and the cost that one does in one batch, on average."""
    taking = defaultdict[str, list[WorkerRecord]](list)
    for worker in workers:
        if worker.ready and not worker.drained and worker.refused is None and worker.protocol == PROTOCOL:
            for queue in worker.queues:
                taking[queue].append(worker)
    found = {}
    for queue, theirs in taking.items():
        slots = sum(worker.slots for worker in theirs)
        found[queue] = (slots, sum(worker.slots * worker.batch_cost for worker in theirs) / slots)
    return found
