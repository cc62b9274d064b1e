"""Which workers are alive: one record per worker in Redis, which expires unless it is written again."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from redis import Redis
from redis.exceptions import RedisError

from core.errors import ServiceUnavailable

_PREFIX = "regrow:worker:"


class WorkerRecord(BaseModel):
    """current: `<job id>/<batch>` or the name of the step it is in, None when idle."""

    model_config = ConfigDict(frozen=True)

    id: str
    host: str
    pid: int
    device: str
    engine: str
    version: str
    current: str | None


class WorkerRegistry:
    """Every method raises ServiceUnavailable when Redis cannot be reached."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis

    def report(self, record: WorkerRecord, expires_after: float) -> None:
        """Write a record that lives for `expires_after` seconds."""
        try:
            self._redis.set(_PREFIX + record.id, record.model_dump_json(), px=int(expires_after * 1000))
        except RedisError as error:
            raise ServiceUnavailable("Redis cannot be reached") from error

    def remove(self, worker_id: str) -> None:
        try:
            self._redis.delete(_PREFIX + worker_id)
        except RedisError as error:
            raise ServiceUnavailable("Redis cannot be reached") from error

    def alive(self) -> list[WorkerRecord]:
        """The workers whose records have not expired, by id."""
        try:
            names = list(self._redis.scan_iter(match=_PREFIX + "*", count=1000))
            values = self._redis.mget(names) if names else []
        except RedisError as error:
            raise ServiceUnavailable("Redis cannot be reached") from error
        return sorted((WorkerRecord.model_validate_json(value) for value in values if value), key=lambda r: r.id)
