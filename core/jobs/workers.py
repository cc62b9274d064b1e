"""Which workers are alive: one record per worker in Redis, which expires unless it is written again."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from regrow.core.errors import VersionSkew, WorkerNotFound
from regrow.core.jobs.messages import PROTOCOL
from regrow.core.jobs.redis_keys import Key
from regrow.core.stores.redis import redis_errors
from regrow.core.stores.redis_client import RedisClient
from regrow.core.version import VERSION


class WorkerRecord(BaseModel):
    """What a worker says of itself. id: `host:pid`. device: its name, for people; engine: as in core.codec.fit.engines.
    version: of the release; protocol: as in messages.py. current: the job and work unit in hand, several on a device
    that takes several; None when idle.

    node: its name for tools for Celery. queues: that it takes from; slots: how many units at a time; batch_cost: cost
    (core.codec.encode.plan.patch_cost) that one slot does in one batch, as measured. ready: whether it takes
    units, as far as it can tell. drained: whether it was asked to take none.

    memory_bytes: resident, of the process. device_memory_bytes: of the device, used by this process; None on a CPU.
    patch_iterations_per_second: of the last batch. refused: why the worker takes no work, if it does not.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    host: str
    pid: int
    device: str
    engine: str
    version: str
    protocol: int = PROTOCOL
    node: str = ""
    queues: tuple[str, ...] = ()
    slots: int = Field(default=1, ge=1)
    batch_cost: float = 0.0
    ready: bool = True
    drained: bool = False
    memory_bytes: int = 0
    device_memory_bytes: int | None = None
    patch_iterations_per_second: float | None = None
    current: str | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """protocol: that the service speaks, 0 before any. drained: whether the worker shall take no more."""

    protocol: int
    drained: bool


class WorkerRegistry:
    """The records of the workers that are alive. Methods raise ServiceUnavailable when Redis cannot be reached."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    def report(self, record: WorkerRecord, expires_after: float) -> Wanted:
        """Write a record that lives for `expires_after` seconds."""
        with redis_errors():
            seconds, micros = self._redis.time()
            now = seconds + micros / 1e6
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.set(Key.WORKER.of(record.id), record.model_dump_json(), px=int(expires_after * 1000))
                pipe.zremrangebyscore(Key.WORKERS, "-inf", now)
                pipe.zadd(Key.WORKERS, {record.id: now + expires_after})
                pipe.get(Key.PROTOCOL)
                pipe.sismember(Key.DRAINED, record.id)
                *_, protocol, drained = pipe.execute()
                return Wanted(int(protocol or 0), bool(drained))

    def remove(self, worker_id: str) -> None:
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.delete(Key.WORKER.of(worker_id))
            pipe.zrem(Key.WORKERS, worker_id)
            pipe.srem(Key.DRAINED, worker_id)
            pipe.execute()

    def drain(self, worker_id: str) -> None:
        """Ask a worker to finish what it has begun and take no more, until it ends or is resumed. It knows with its
        next heartbeat. Raises WorkerNotFound."""
        self._ask(worker_id, drained=True)

    def resume(self, worker_id: str) -> None:
        """Ask a worker that was drained to take units again. Raises WorkerNotFound."""
        self._ask(worker_id, drained=False)

    def _ask(self, worker_id: str, *, drained: bool) -> None:
        if worker_id not in {record.id for record in self.alive()}:
            raise WorkerNotFound(f"there is no live worker {worker_id[:100]}")
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            if drained:
                pipe.sadd(Key.DRAINED, worker_id)
            else:
                pipe.srem(Key.DRAINED, worker_id)
            pipe.execute()

    def alive(self) -> list[WorkerRecord]:
        """The workers whose records have not expired, by id."""
        with redis_errors():
            ids = self._redis.zrange(Key.WORKERS, 0, -1)
            values = self._redis.mget([Key.WORKER.of(each) for each in ids]) if ids else []
        records = []
        for value in filter(None, values):
            with contextlib.suppress(ValidationError):  # of a release that says other things
                records.append(WorkerRecord.model_validate_json(value))
        return sorted(records, key=lambda record: record.id)

    def check_skew(self) -> None:
        """Raises VersionSkew where workers are alive and none understands this process."""
        alive = self.alive()
        if alive and all(record.protocol != PROTOCOL for record in alive):
            other = alive[0]
            raise VersionSkew(
                f"the workers are of release {other.version} (protocol {other.protocol}), this API of {VERSION} "
                f"({PROTOCOL}): install one release on both"
            )
