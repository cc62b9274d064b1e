"""Claims without messages, for tests of the queue: as if a worker had room, and its message had come."""

from __future__ import annotations

from regrow.core.jobs.messages import QueueName
from regrow.core.jobs.queue import WorkQueue
from regrow.core.jobs.redis_keys import Key
from regrow.core.jobs.work_unit import WorkUnit
from regrow.core.stores.redis_client import RedisClient

NODE = "regrow-1@test"


def room_for(redis: RedisClient, most_cost: float = 4, slots: int = 1) -> None:
    """As if live workers on CPUs had so many slots, each of which does so much in one batch."""
    room = f"{slots} {max(1, most_cost):.0f}"
    with redis.pipeline() as pipe:
        pipe.hset(Key.QUEUES, QueueName.FIT_CPU, room)
        pipe.hset(Key.QUEUES, QueueName.ASSEMBLE, room)
        pipe.execute()


def claim_next(queue: WorkQueue, most_cost: float = 4, workers: int = 1) -> WorkUnit | None:
    """The next unit, sent and begun; None where there is none."""
    endless = WorkQueue(queue._redis, queue.lease, waiting=1_000_000)
    room_for(queue._redis, most_cost, workers)
    units = endless.dispatch(most=1)
    with queue._redis.pipeline() as pipe:
        pipe.delete(Key.QUEUES)
        pipe.execute()
    if not units:
        return None
    assert queue.begin(units[0], NODE)
    return units[0]
