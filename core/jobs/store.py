"""Jobs in Redis: the fast view of what the blob store knows, and where workers meet.

Keys: `regrow:job:<id>` (hash), `regrow:job:<id>:parts` (set of finished batches), `regrow:jobs` (ids by time of
creation). Every change that could race is one Lua script.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from core.codec.metrics import psnr_from_mse
from core.errors import JobNotFound, ServiceUnavailable
from core.jobs.documents import JobDocument
from core.jobs.model import FINAL_STATES, Job, JobFailure, JobState, now, states_before

_JOBS = "regrow:jobs"
_BATCH = "batch:"

# KEYS job; ARGV to, number of allowed states, the states, then fields and values to set. 1 if the job moved.
_MOVE = """
local state = redis.call('HGET', KEYS[1], 'state')
for i = 3, 2 + ARGV[2] do
  if ARGV[i] == state then
    redis.call('HSET', KEYS[1], 'state', ARGV[1], unpack(ARGV, 3 + ARGV[2]))
    return 1
  end
end
return 0
"""

# KEYS job, parts; ARGV batch, patches in it. Counts a part once. 1 if all parts are there: the caller (or the callers,
# when messages were redelivered) must then send `assemble`, which is idempotent.
_FINISH_PART = """
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'fitting' and state ~= 'assembling' then return 0 end
if redis.call('SADD', KEYS[2], ARGV[1]) == 1 then
  redis.call('HINCRBY', KEYS[1], 'patches_done', ARGV[2])
end
if redis.call('SCARD', KEYS[2]) < tonumber(redis.call('HGET', KEYS[1], 'batches_total')) then return 0 end
redis.call('HSET', KEYS[1], 'state', 'assembling')
return 1
"""

# KEYS job; ARGV step, whether it is a batch. How often the step was begun, 0 for a job that is gone.
_BEGIN = """
if redis.call('HEXISTS', KEYS[1], 'state') == 0 then return 0 end
if ARGV[2] == '1' then redis.call('HINCRBY', KEYS[1], 'attempts', 1) end
return redis.call('HINCRBY', KEYS[1], 'tries:' .. ARGV[1], 1)
"""

# KEYS job; ARGV field, value. Sets a field of a job, but never brings back one that is gone.
_NOTE = """
if redis.call('HEXISTS', KEYS[1], 'state') == 1 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
"""


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise ServiceUnavailable("Redis cannot be reached: try again in a few seconds") from error


def connect(redis_url: str) -> Redis:
    """A client that gives up on a dead server within two seconds."""
    return Redis.from_url(
        redis_url, decode_responses=True, socket_connect_timeout=2, socket_timeout=2, health_check_interval=10
    )


class JobStore:
    """Every method raises ServiceUnavailable when Redis cannot be reached."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._move = redis.register_script(_MOVE)
        self._finish_part = redis.register_script(_FINISH_PART)
        self._begin = redis.register_script(_BEGIN)
        self._note = redis.register_script(_NOTE)

    def check(self) -> None:
        with _errors():
            self._redis.ping()

    def create(self, document: JobDocument, patches_total: int) -> None:
        """Enter a job as queued."""
        fields = {
            "state": JobState.QUEUED,
            "preset": document.settings().preset_name,
            "effort": document.effort,
            "seed": document.seed,
            "width": document.width,
            "height": document.height,
            "patches_total": patches_total,
            "created_at": document.created_at,
        }
        with _errors(), self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(_job_key(document.id), mapping=fields)
            pipe.zadd(_JOBS, {document.id: time.time()})
            pipe.execute()

    def forget(self, job_id: str) -> None:
        """Remove a job."""
        with _errors(), self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(_job_key(job_id), _parts_key(job_id))
            pipe.zrem(_JOBS, job_id)
            pipe.execute()

    def move(self, job_id: str, state: JobState, fields: Mapping[str, str | int | float] | None = None) -> bool:
        """Move a job to `state` and set the fields, if the move is legal; whether this call moved it."""
        before = states_before(state)
        fields = dict(fields or {})
        if state in FINAL_STATES:
            fields["finished_at"] = now()
        flat = [item for pair in fields.items() for item in pair]
        with _errors():
            return bool(self._move(keys=[_job_key(job_id)], args=[state, len(before), *before, *flat]))

    def fail(self, job_id: str, failure: JobFailure) -> bool:
        """End a job without a picture."""
        return self.move(job_id, JobState.FAILED, {"error_type": failure.type, "error_message": failure.message})

    def state(self, job_id: str) -> JobState:
        """Raises JobNotFound."""
        with _errors():
            state = self._redis.hget(_job_key(job_id), "state")
        if state is None:
            raise JobNotFound(f"there is no job {job_id}")
        return JobState(state)

    def begin(self, job_id: str, step: str, *, batch: bool) -> int:
        """Note that a worker begins a step of a job; how often that has happened now. 0: there is no such job."""
        with _errors():
            return int(self._begin(keys=[_job_key(job_id)], args=[step, int(batch)]))

    def give_back(self, job_id: str, step: str) -> None:
        """Take back a beginning that came to nothing through no fault of the step (a shutdown, an outage)."""
        with _errors():
            if self._redis.hexists(_job_key(job_id), "state"):
                self._redis.hincrby(_job_key(job_id), f"tries:{step}", -1)

    def batches_sent(self, job_id: str) -> int:
        """How many batches `plan` has put on the queue."""
        with _errors():
            return int(self._redis.hget(_job_key(job_id), "batches_sent") or 0)

    def note_batches_sent(self, job_id: str, batches: int) -> None:
        with _errors():
            self._note(keys=[_job_key(job_id)], args=["batches_sent", batches])

    def note_progress(self, job_id: str, batch: int, done: float, squared_error: float, patches: int) -> None:
        """How far a batch is. done: patches finished, in units of one patch; squared_error: sum of its patches' MSE so
        far (brightness in [0, 1]); patches: how many it has."""
        with _errors():
            value = f"{done:.3f} {squared_error:.6g} {patches}"
            self._note(keys=[_job_key(job_id)], args=[f"{_BATCH}{batch}", value])

    def finish_part(self, job_id: str, batch: int, patches: int) -> bool:
        """Count a stored part, once; whether all parts are stored, so that `assemble` must be sent."""
        with _errors():
            return bool(self._finish_part(keys=[_job_key(job_id), _parts_key(job_id)], args=[batch, patches]))

    def get(self, job_id: str) -> Job:
        """Raises JobNotFound."""
        with _errors():
            fields = self._redis.hgetall(_job_key(job_id))
        if "state" not in fields:
            raise JobNotFound(f"there is no job {job_id}")
        return _job_from(job_id, fields)

    def newest(self, limit: int) -> list[Job]:
        """The jobs created last, newest first."""
        with _errors():
            ids = self._redis.zrevrange(_JOBS, 0, limit - 1)
            with self._redis.pipeline(transaction=False) as pipe:
                for job_id in ids:
                    pipe.hgetall(_job_key(job_id))
                found = pipe.execute()
        return [_job_from(job_id, fields) for job_id, fields in zip(ids, found, strict=True) if "state" in fields]


def _job_key(job_id: str) -> str:
    return f"regrow:job:{job_id}"


def _parts_key(job_id: str) -> str:
    return f"regrow:job:{job_id}:parts"


def _job_from(job_id: str, fields: Mapping[str, str]) -> Job:
    state = JobState(fields["state"])
    total, started = int(fields["patches_total"]), fields.get("started_at")
    batches = [tuple(map(float, value.split())) for name, value in fields.items() if name.startswith(_BATCH)]
    progress = 1.0 if state is JobState.SUCCEEDED else min(1.0, sum(done for done, _, _ in batches) / total)
    psnr = float(fields["psnr"]) if "psnr" in fields else _psnr_so_far(batches)
    return Job(
        id=job_id,
        state=state,
        preset=fields["preset"],
        effort=fields["effort"],
        seed=fields["seed"],
        width=int(fields["width"]),
        height=int(fields["height"]),
        patches_total=total,
        patches_done=int(fields.get("patches_done", 0)),
        patches_failed=int(fields.get("patches_failed", 0)),
        progress=progress,
        psnr=psnr,
        bytes=int(fields["bytes"]) if "bytes" in fields else None,
        attempts=int(fields.get("attempts", 0)),
        created_at=fields["created_at"],
        started_at=started,
        finished_at=fields.get("finished_at"),
        eta_seconds=_eta(state, progress, fields.get("started_clock")),
        error=JobFailure(fields["error_type"], fields["error_message"]) if "error_type" in fields else None,
    )


def _psnr_so_far(batches: list[tuple[float, ...]]) -> float | None:
    """Of the patches that have begun, as far as they are."""
    begun = [(error, patches) for _, error, patches in batches if math.isfinite(error)]
    if not begun:
        return None
    return psnr_from_mse(255.0**2 * sum(error for error, _ in begun) / sum(patches for _, patches in begun))


def _eta(state: JobState, progress: float, started_clock: str | None) -> float | None:
    """Seconds left, if the rest goes as fast as what is done; None while too little is done to tell."""
    if state in FINAL_STATES or started_clock is None or progress < 0.02:
        return None
    return max(0.0, (time.time() - float(started_clock)) * (1 - progress) / progress)
