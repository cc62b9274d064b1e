"""What the fleet is doing and has done, in numbers: for `/metrics`. What each is made of: redis_keys.py."""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from regrow.core.errors import RegrowError
from regrow.core.jobs.model import FINAL_STATES, JobState, Priority
from regrow.core.jobs.redis_keys import Field, Key
from regrow.core.stores.redis import redis_errors
from regrow.core.stores.redis_client import RedisClient

BATCH_BOUNDS = ("0.5", "1.0", "2.0", "5.0", "10.0", "20.0", "30.0", "45.0", "60.0", "120.0", "300.0", "600.0", "+Inf")
"""Seconds, each the upper bound of a bucket, as text. A worker aims at 30 s."""

_BATCHES = "batches:"


@dataclass(frozen=True, slots=True)
class Counts:
    """jobs: now, by each state that is no end. waiting: jobs with work units to hand out, by priority. outstanding:
    patches accepted and not done.

    The others only grow, until Redis' memory is lost. ended: jobs, by state. failed: jobs, by their error's type.
    batches: how many of the batches fitted took at most as long as each of BATCH_BOUNDS. batch_seconds: that all of
    them took together. patch_iterations: training iterations, summed over all patches.
    """

    jobs: Mapping[JobState, int]
    waiting: Mapping[Priority, int]
    outstanding: int
    ended: Mapping[JobState, int]
    failed: Mapping[str, int]
    batches: Mapping[str, int]
    batch_seconds: float
    patch_iterations: int


class Counters:
    """The hash that workers and the scripts that end jobs count in."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    def batch_done(self, seconds: float, patch_iterations: int) -> None:
        """Count a batch. During an outage it stays uncounted: the work is what matters."""
        bound = BATCH_BOUNDS[bisect_left(BATCH_BOUNDS, seconds, key=float)]
        with contextlib.suppress(RegrowError), redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.hincrby(Key.COUNTERS, f"{_BATCHES}{bound}", 1)
            pipe.hincrbyfloat(Key.COUNTERS, "batch_seconds", seconds)
            pipe.hincrby(Key.COUNTERS, "patch_iterations", patch_iterations)
            pipe.execute()

    def read(self) -> Counts:
        """Raises ServiceUnavailable."""
        with redis_errors(), self._redis.pipeline() as pipe:
            pipe.zcard(Key.OPEN)
            pipe.zcard(Key.WAITING)
            pipe.scard(Key.ASSEMBLING)
            pipe.hget(Key.OUTSTANDING, "*")
            pipe.hgetall(Key.COUNTERS)
            pipe.zrange(Key.OWNERS, 0, -1)
            pipe.zrange(Key.ENDING_OWNERS, 0, -1)
            not_ended, queued, assembling, outstanding, counted, fitting_owners, ending_owners = pipe.execute()
        fitting = not_ended - queued - assembling
        batches = accumulate(int(counted.get(f"{_BATCHES}{bound}", 0)) for bound in BATCH_BOUNDS)
        return Counts(
            jobs={JobState.QUEUED: queued, JobState.FITTING: fitting, JobState.ASSEMBLING: assembling},
            waiting=self._waiting([(Key.LANE, fitting_owners), (Key.ENDING_LANE, ending_owners)]),
            outstanding=int(outstanding or 0),
            ended={state: int(counted.get(f"{Field.ENDED}{state}", 0)) for state in sorted(FINAL_STATES)},
            failed={
                name.removeprefix(Field.FAILED): int(count)
                for name, count in counted.items()
                if name.startswith(Field.FAILED)
            },
            batches=dict(zip(BATCH_BOUNDS, batches, strict=True)),
            batch_seconds=float(counted.get("batch_seconds", 0)),
            patch_iterations=int(counted.get("patch_iterations", 0)),
        )

    def _waiting(self, lines: list[tuple[Key, list[str]]]) -> dict[Priority, int]:
        """lines: a line's lanes, and the owners with jobs in them."""
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            for lane, owners in lines:
                for owner in owners:
                    for priority in Priority:
                        pipe.zcard(lane.of(owner, priority))
            sizes = pipe.execute()
        return {priority: sum(sizes[place :: len(Priority)]) for place, priority in enumerate(Priority)}
