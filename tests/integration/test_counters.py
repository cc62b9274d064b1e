"""What the fleet does, in numbers, in a real Valkey."""

from __future__ import annotations

import pytest
from redis import Redis

from regrow.core.errors import ServiceUnavailable
from regrow.core.jobs.counters import BATCH_BOUNDS, Counters
from regrow.core.jobs.model import JobFailure, JobState, Priority
from regrow.core.jobs.queue import WorkQueue
from regrow.core.jobs.store import JobStore
from regrow.core.stores.redis import connect
from tests.claims import claim_next
from tests.jobs import job_document
from tests.services import free_ports


@pytest.fixture
def counters(redis: Redis) -> Counters:
    return Counters(redis)


def _open(counters: Counters) -> tuple[int, ...]:
    jobs = counters.read().jobs
    return tuple(jobs[state] for state in (JobState.QUEUED, JobState.FITTING, JobState.ASSEMBLING))


def test_nothing_yet(counters: Counters) -> None:
    counts = counters.read()
    assert not any((counts.outstanding, counts.batch_seconds, counts.patch_iterations, counts.failed))
    for numbers in (counts.jobs, counts.waiting, counts.ended, counts.batches):
        assert len(numbers) >= 3
        assert not any(numbers.values())


def test_jobs_are_counted_in_their_states(store: JobStore, queue: WorkQueue, counters: Counters) -> None:
    document = job_document(2)
    store.enter(document)
    store.enter(job_document(2, created_ms=document.created_ms + 60_000))
    assert _open(counters) == (2, 0, 0)
    first, second = claim_next(queue, 1), claim_next(queue, 1)
    assert first is not None
    assert second is not None
    assert _open(counters) == (1, 1, 0)
    queue.finish(first)
    queue.finish(second)
    assert _open(counters) == (1, 0, 1)
    store.end(document.id, JobState.SUCCEEDED)
    assert _open(counters) == (1, 0, 0)


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_job_that_is_restored_to_be_assembled_is_counted_and_freed(
    store: JobStore, redis: Redis, counters: Counters, forgotten: bool
) -> None:
    document = job_document(3)
    store.enter(document, parts=[range(3)])
    assert _open(counters) == (0, 0, 1)
    if forgotten:
        store.forget(document.id)
    else:
        store.end(document.id, JobState.CANCELLED)
    assert _open(counters) == (0, 0, 0)
    assert not redis.exists("regrow:assembling")


def test_each_end_is_counted_once(store: JobStore, counters: Counters) -> None:
    failures = ["timeout", "worker-lost", "timeout"]
    for failure in failures:
        document = job_document(1)
        store.enter(document)
        for _ in range(2):
            store.fail(document.id, JobFailure(failure, "it broke"))
    cancelled = job_document(1)
    store.enter(cancelled)
    store.end(cancelled.id, JobState.CANCELLED)
    store.forget(cancelled.id)
    counts = counters.read()
    assert counts.ended == {JobState.FAILED: 3, JobState.CANCELLED: 1, JobState.SUCCEEDED: 0}
    assert counts.failed == {"timeout": 2, "worker-lost": 1}


def test_lanes_are_summed_over_owners(store: JobStore, queue: WorkQueue, counters: Counters) -> None:
    lanes = {"alice": (Priority.HIGH, Priority.LOW), "bob": (Priority.LOW,), "bo:b": (Priority.LOW,)}
    for owner, priorities in lanes.items():
        for priority in priorities:
            store.enter(job_document(5, owner=owner, priority=priority))
    counts = counters.read()
    assert counts.waiting == {Priority.HIGH: 1, Priority.NORMAL: 0, Priority.LOW: 3}
    assert counts.outstanding == 20
    claim = claim_next(queue, 5)
    assert claim is not None
    assert sum(counters.read().waiting.values()) == 3
    queue.finish(claim)
    counts = counters.read()
    assert (counts.outstanding, sum(counts.waiting.values())) == (15, 4), "it waits to be assembled"


def test_batches_fall_into_buckets(counters: Counters) -> None:
    for seconds in (0.0, 0.5, 0.6, 30.0, 30.1, 1e6):
        counters.batch_done(seconds, 1000)
    counts = counters.read()
    assert list(counts.batches) == list(BATCH_BOUNDS)
    assert [counts.batches[bound] for bound in ("0.5", "1.0", "20.0", "30.0", "45.0", "600.0", "+Inf")] == [
        2,
        3,
        3,
        4,
        5,
        5,
        6,
    ]
    assert counts.batch_seconds == pytest.approx(1e6 + 61.2)
    assert counts.patch_iterations == 6000


def test_an_outage_does_not_disturb_who_counts() -> None:
    (port,) = free_ports(1)
    counters = Counters(connect(f"redis://127.0.0.1:{port}/0"))
    counters.batch_done(1.0, 1)
    with pytest.raises(ServiceUnavailable):
        counters.read()
