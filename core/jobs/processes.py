"""What `regrow serve` says of the processes it keeps running: one key in Redis, which expires unless written again."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, TypeAdapter

from regrow.core.jobs.redis_keys import Key
from regrow.core.stores.redis import redis_errors
from regrow.core.stores.redis_client import RedisClient


class ProcessState(StrEnum):
    """Whether a supervised process runs, or waits to be started again."""

    RUNNING = "running"
    RESTARTING = "restarting"


class ProcessRecord(BaseModel):
    """One process. name: for people, such as `worker 0`. restarts: how often it was started again. pid: None while
    restarting. last_exit: how the one before ended. since: when this state began, ISO 8601."""

    model_config = ConfigDict(frozen=True)

    name: str
    pid: int | None
    state: ProcessState
    restarts: int
    last_exit: str | None
    since: str


_RECORDS = TypeAdapter(list[ProcessRecord])


class ProcessRegistry:
    """The processes of a `regrow serve`. Every method raises ServiceUnavailable when Redis cannot be reached."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    def report(self, records: list[ProcessRecord], expires_after: float) -> None:
        """Write records that live for `expires_after` seconds, in place of those before."""
        with redis_errors():
            self._redis.set(Key.PROCESSES, _RECORDS.dump_json(records), px=int(expires_after * 1000))

    def all(self) -> list[ProcessRecord]:
        """The records, in the order in which they were reported; none where nobody supervises."""
        with redis_errors():
            value = self._redis.get(Key.PROCESSES)
        return _RECORDS.validate_json(value) if value else []
