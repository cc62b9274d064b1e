"""Following a job: its changes, as the Lua scripts write them to a Redis stream of its own. For asyncio."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from redis import asyncio

from regrow.core.errors import ServiceUnavailable
from regrow.core.jobs.model import JobState
from regrow.core.jobs.redis_keys import Key
from regrow.core.stores.redis import redis_errors
from regrow.core.stores.redis_client import AsyncRedisClient

MOST_FOLLOWERS = 256
"""How many clients may follow jobs at a time, at one process: each has a connection to Redis while it waits. Those of
one owner may be a quarter."""

SPARE_CONNECTIONS = 64
"""Connections for those who begin to follow: they ask for a job's last change."""

LONGEST_WAIT = 60.0
"""Seconds that one read of Redis may wait for a change."""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A change of a job. id: of the stream's entry, `milliseconds-number`. state: after the change; None where the job
    was deleted. patches_done: how many are fitted, after the change."""

    id: str
    state: JobState | None
    patches_done: int


class Events:
    """Changes of jobs, for those who follow them. most: how many may do so at a time.

    Methods raise ServiceUnavailable when Redis cannot be reached.
    """

    def __init__(self, redis_url: str, most: int = MOST_FOLLOWERS) -> None:
        redis = asyncio.Redis.from_url(
            redis_url,
            decode_responses=True,
            max_connections=most + SPARE_CONNECTIONS,
            socket_connect_timeout=5,  # when all followers come back at once, the last have waited for the others
            socket_timeout=LONGEST_WAIT + 5,  # a read that waits is no outage
        )
        self._redis = cast("AsyncRedisClient", redis)
        self._most, self._followers = most, Counter[str]()

    @contextmanager
    def following(self, owner: str) -> Iterator[None]:
        """Be one of the followers that there may be at a time. Raises ServiceUnavailable where there are too many."""
        if self._followers.total() >= self._most or self._followers[owner] >= self._most // 4:
            raise ServiceUnavailable("too many clients follow jobs: ask for the job itself every now and then")
        self._followers[owner] += 1
        try:
            yield
        finally:
            self._followers[owner] -= 1
            self._followers += Counter()  # drops owners without any

    async def last_id(self, job_id: str) -> str:
        """The id of the job's last change; `0-0` where none is known."""
        with redis_errors():
            entries = await self._redis.xrevrange(Key.EVENTS.of(job_id), count=1)
        return str(entries[0][0]) if entries else "0-0"

    async def after(self, job_id: str, last_id: str, seconds: float) -> list[JobEvent]:
        """Changes after one; waits for the first so long, 60 seconds at most, and has none if there was none."""
        seconds = min(seconds, LONGEST_WAIT)
        with redis_errors():
            found = await self._redis.xread({Key.EVENTS.of(job_id): last_id}, block=max(1, round(1000 * seconds)))
        return [_event(entry_id, fields) for _, entries in found or () for entry_id, fields in entries]

    async def close(self) -> None:
        await self._redis.aclose()


def milliseconds_of(event_id: str) -> int:
    """When an event happened, since 1970."""
    return int(event_id.partition("-")[0])


def _event(entry_id: str, fields: dict[str, str]) -> JobEvent:
    state = fields["state"]
    return JobEvent(entry_id, None if state == "deleted" else JobState(state), int(fields["patches_done"]))
