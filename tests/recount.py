"""What Redis' sets and counts of jobs ought to be, counted anew from the jobs' hashes."""

from __future__ import annotations

from collections import Counter

from redis import Redis

from regrow.core.jobs.counters import Counters
from regrow.core.jobs.messages import QueueName
from regrow.core.jobs.model import FINAL_STATES, JobState, Priority
from regrow.core.jobs.work_unit import WorkUnit

_STATES = tuple(state for state in JobState if state not in FINAL_STATES)


def check_counts(redis: Redis) -> None:
    """Every set and every number that is kept beside the hashes says what they say."""
    jobs = _hashes(redis)
    states = {job_id: JobState(fields["state"]) for job_id, fields in jobs.items()}
    still = {job_id for job_id, state in states.items() if state not in FINAL_STATES}
    assert set(redis.zrange("regrow:jobs", 0, -1)) == set(jobs)
    assert set(redis.zrange("regrow:open", 0, -1)) == still
    assert set(redis.zrange("regrow:waiting", 0, -1)) == {each for each in still if states[each] is JobState.QUEUED}
    assert redis.smembers("regrow:assembling") == {each for each in still if states[each] is JobState.ASSEMBLING}
    assert set(redis.zrange("regrow:deadlines", 0, -1)) <= still
    assert redis.hgetall("regrow:outstanding") == _outstanding(redis, {each: jobs[each] for each in still})
    _check_lanes(redis, jobs, still)
    by_state = Counter(states.values())
    assert Counters(redis).read().jobs == {state: by_state[state] for state in _STATES}


def _hashes(redis: Redis) -> dict[str, dict[str, str]]:
    keys = [str(key) for key in redis.scan_iter("regrow:job:*", count=1000, _type="hash")]
    return {key.removeprefix("regrow:job:"): redis.hgetall(key) for key in keys}  # type: ignore[misc]


def _outstanding(redis: Redis, jobs: dict[str, dict[str, str]]) -> dict[str, str]:
    found = Counter[str]()
    for job_id, fields in jobs.items():
        done = redis.bitcount(f"regrow:job:{job_id}:done")
        assert done == int(fields["patches_done"])
        found += Counter(dict.fromkeys((fields["owner"], "*"), int(fields["patches_total"]) - done))
    return {owner: str(patches) for owner, patches in found.items()}


def _check_lanes(redis: Redis, jobs: dict[str, dict[str, str]], still: set[str]) -> None:
    """A job is in its lane, and its owner among those who are served, while it has a unit to hand out."""
    for owner in {fields["owner"] for fields in jobs.values()}:
        waiting = {each for each in still if jobs[each]["owner"] == owner and _has_unit(redis, each, jobs[each])}
        ending = {each for each in waiting if jobs[each]["state"] == JobState.ASSEMBLING}
        for line, expected in (("regrow", waiting - ending), ("regrow:ending", ending)):
            lanes = {each for priority in Priority for each in redis.zrange(f"{line}:lane:{owner}:{priority}", 0, -1)}
            assert lanes == expected
            assert (redis.zscore(f"{line}:owners", owner) is not None) == bool(lanes)
    _check_flights(redis)


def _check_flights(redis: Redis) -> None:
    """Every unit that was handed out takes room in its queue until it has ended."""
    units = [WorkUnit.of(lease) for key in ("sent", "leases") for lease in redis.zrange(f"regrow:{key}", 0, -1)]
    for queue in QueueName:
        numbers = redis.smembers(f"regrow:flight:{queue}")
        assert numbers == {str(unit.number) for unit in units if unit.queue == queue}


def _has_unit(redis: Redis, job_id: str, fields: dict[str, str]) -> bool:
    untouched = fields["state"] != JobState.ASSEMBLING and int(fields["next"]) < int(fields["patches_total"])
    return untouched or bool(redis.exists(f"regrow:job:{job_id}:again"))
