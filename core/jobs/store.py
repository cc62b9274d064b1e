"""Jobs in Redis: the fast view of what the blob store knows. redis_keys.py lists the keys, and what counts are of."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from regrow.core.errors import ImageTooLarge, JobNotFound, TooBusy
from regrow.core.jobs.documents import JobDocument, OutcomeDocument
from regrow.core.jobs.job_hash import fields_of, job_of
from regrow.core.jobs.messages import PROTOCOL
from regrow.core.jobs.model import Job, JobFailure, JobState, created_ms, states_before
from regrow.core.jobs.redis_keys import Key
from regrow.core.jobs.scripts import load_script, probe
from regrow.core.stores.redis import redis_errors
from regrow.core.stores.redis_client import RedisClient

_PAGE = 100
HISTORY_SECONDS = 7 * 24 * 3600
"""How long Redis remembers a job that has ended. The blob store does for longer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most patches outstanding of one owner and in all; 0 for no limit."""

    owned: int = 0
    in_all: int = 0


class JobStore:
    """Jobs in Redis. Every method raises ServiceUnavailable when Redis cannot be reached."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._scripts = {name: load_script(redis, name) for name in ("enter", "enter_ended", "end", "forget")}

    def check(self) -> None:
        """Raises ServiceUnavailable unless Redis takes writes."""
        probe(self._redis)

    def now_ms(self) -> int:
        """Redis' clock, which all agree on."""
        with redis_errors():
            seconds, micros = self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    def enter(self, document: JobDocument, limits: Limits | None = None, parts: Sequence[range] = ()) -> bool:
        """Enter a job, unless it is there and has not ended. parts: patches that need not be fitted any more.

        Raises TooBusy where it would be more than the limits allow.
        """
        limits = limits or Limits()
        done = [[part.start, part.stop] for part in parts]
        job = {
            "id": document.id,
            "owner": document.owner,
            "created_ms": document.created_ms,
            "start_deadline_ms": document.start_deadline_ms or 0,
            "patches": document.patches,
            "fields": fields_of(document),
            "done": done,
            "missing": _missing(parts, document.patches) if done else [],
            "most_owned": limits.owned,
            "most_in_all": limits.in_all,
            "protocol": PROTOCOL,
        }
        with redis_errors():
            answer = int(self._scripts["enter"](args=[json.dumps(job)]))
        if answer < 0:
            whose, most = ("your patches", limits.owned) if answer == -1 else ("patches", limits.in_all)
            raise _too_busy(document.patches, most, whose)
        return answer == 1

    def check_limits(self, owner: str, patches: int, limits: Limits) -> None:
        """Raises TooBusy where a job would be refused now, and ImageTooLarge where it would be for ever."""
        most = min(limit for limit in (limits.owned, limits.in_all, patches) if limit)
        if patches > most:
            raise ImageTooLarge(f"the image has {patches} patches: at most {most} may be outstanding at a time")
        for found, limit, whose in zip(
            self.outstanding(owner), (limits.owned, limits.in_all), ("your patches", "patches"), strict=True
        ):
            if limit and found + patches > limit:
                raise _too_busy(patches, limit, whose)

    def enter_ended(self, document: JobDocument, outcome: OutcomeDocument) -> None:
        """Enter a job that has ended, as the blob store remembers it, unless Redis knows it."""
        done = document.patches if outcome.state is JobState.SUCCEEDED else 0
        known = outcome.model_dump(exclude={"version"}, exclude_none=True)
        fields = {**fields_of(document), "patches_done": done, **known}
        flat = [str(item) for pair in fields.items() for item in pair]
        with redis_errors():
            self._scripts["enter_ended"](args=[document.id, document.created_ms, HISTORY_SECONDS, *flat])

    def end(self, job_id: str, state: JobState, fields: Mapping[str, str | int | float] | None = None) -> bool:
        """End a job, and set the fields; whether this call did. Of several at once, one does."""
        before = states_before(state)
        flat = [item for pair in (fields or {}).items() for item in pair]
        with redis_errors():
            return bool(self._scripts["end"](args=[job_id, state, HISTORY_SECONDS, len(before), *before, *flat]))

    def fail(self, job_id: str, failure: JobFailure) -> bool:
        """End a job without a picture."""
        return self.end(job_id, JobState.FAILED, {"error_type": failure.type, "error_message": failure.message})

    def forget(self, job_id: str) -> None:
        """Remove a job."""
        with redis_errors():
            self._scripts["forget"](args=[job_id])

    def state(self, job_id: str) -> JobState:
        """Raises JobNotFound."""
        with redis_errors():
            state = self._redis.hget(Key.JOB.of(job_id), "state")
        if state is None:
            raise JobNotFound(f"there is no job {job_id}")
        return JobState(state)

    def owner(self, job_id: str) -> str:
        """Raises JobNotFound."""
        with redis_errors():
            owner = self._redis.hget(Key.JOB.of(job_id), "owner")
        if owner is None:
            raise JobNotFound(f"there is no job {job_id}")
        return str(owner)

    def last_failure(self, job_id: str) -> JobFailure:
        """What went wrong last with one of the job's units."""
        with redis_errors():
            kind, message = self._redis.hmget(Key.JOB.of(job_id), ["last_error_type", "last_error_message"])
        return JobFailure(kind or "step-failed", message or "no reason is known")

    def get(self, job_id: str) -> Job:
        """Raises JobNotFound."""
        return self._read([job_id])[job_id]

    def get_many(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """Those of the jobs that Redis knows."""
        return self._read(job_ids, missing_too=False)

    def outcome(self, job_id: str) -> OutcomeDocument:
        """How a job has ended. Raises JobNotFound."""
        with redis_errors():
            fields = self._redis.hgetall(Key.JOB.of(job_id))
        if "finished_ms" not in fields:
            raise JobNotFound(f"there is no job {job_id} that has ended")
        known = OutcomeDocument.model_fields.keys() - {"version"}
        return OutcomeDocument.model_validate({name: fields[name] for name in known if name in fields})

    def newest(
        self, limit: int, before: str | None = None, states: Collection[JobState] = (), owner: str | None = None
    ) -> list[Job]:
        """The jobs created last, newest first. before: an id, to go on after it; states: only jobs in one of these;
        owner: only one's."""
        jobs_key = Key.JOBS if owner is None else Key.OWNED.of(owner)
        found = list[Job]()
        while len(found) < limit:
            start = self._rank_after(jobs_key, before)  # anew for each page: meanwhile, others came
            with redis_errors():
                ids = self._redis.zrevrange(jobs_key, start, start + _PAGE - 1)
            jobs = self._read(ids, missing_too=False).values()
            found += [job for job in jobs if not states or job.state in states]
            if len(ids) < _PAGE:
                break
            before = ids[-1]
        return found[:limit]

    def _rank_after(self, jobs_key: str, before: str | None) -> int:
        """The place of the next job after one that may be gone, the newest being at 0."""
        if before is None:
            return 0
        with redis_errors():
            rank = self._redis.zrevrank(jobs_key, before)
            return int(self._redis.zcount(jobs_key, f"({created_ms(before)}", "+inf") if rank is None else rank + 1)

    def open_jobs(self) -> list[str]:
        """Ids of all jobs that have not ended."""
        with redis_errors():
            return list(self._redis.zrange(Key.OPEN, 0, -1))

    def overdue(self) -> tuple[list[str], list[str]]:
        """Ids of jobs that ought to have been begun by now, and of jobs that ought to have ended."""
        now = self.now_ms()
        with redis_errors():
            late, long = (
                list(self._redis.zrange(key, "-inf", now, byscore=True)) for key in (Key.START_DEADLINES, Key.DEADLINES)
            )
        return late, long

    def outstanding(self, owner: str) -> tuple[int, int]:
        """Patches that are accepted and not done: the owner's, and all."""
        with redis_errors():
            owned, in_all = self._redis.hmget(Key.OUTSTANDING, [owner, "*"])
        return int(owned or 0), int(in_all or 0)

    def up_seconds(self) -> int:
        """How long Redis has been running."""
        with redis_errors():
            return int(self._redis.info("server")["uptime_in_seconds"])

    def trim(self) -> None:
        """Take jobs that Redis has forgotten off the lists of jobs."""
        oldest = self.now_ms() - 1000 * HISTORY_SECONDS
        with redis_errors():
            for jobs_key in (Key.JOBS, *self._redis.scan_iter(Key.OWNED.of("*"), count=1000, _type="zset")):
                ids = self._redis.zrange(jobs_key, "-inf", oldest, byscore=True)
                gone = [job_id for job_id in ids if not self._redis.exists(Key.JOB.of(job_id))]
                if gone:
                    self._redis.zrem(jobs_key, *gone)

    def _read(self, ids: Sequence[str], *, missing_too: bool = True) -> dict[str, Job]:
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            for job_id in ids:
                pipe.hgetall(Key.JOB.of(job_id))
                pipe.zrank(Key.WAITING, job_id)
            pipe.hgetall(Key.UNSERVED)
            *found, unserved = pipe.execute()
        jobs = {}
        for job_id, fields, place in zip(ids, found[::2], found[1::2], strict=True):
            if "state" in fields:
                jobs[job_id] = job_of(job_id, fields, place, unserved)
            elif missing_too:
                raise JobNotFound(f"there is no job {job_id}")
        return jobs


def _too_busy(patches: int, most: int, whose: str) -> TooBusy:
    return TooBusy(
        f"the job's {patches} patches would make more than {most} of {whose} that are not done: "
        "send it again when others are"
    )


def _missing(parts: Sequence[range], patches: int) -> list[list[int]]:
    """Ranges of the patches that no part has."""
    missing, start = [], 0
    for part in sorted(parts, key=lambda part: part.start):
        if part.start > start:
            missing.append([start, part.start])
        start = max(start, part.stop)
    return [*missing, [start, patches]] if start < patches else missing
