"""Jobs in a real Valkey: legal moves only, one end, limits, and nothing left behind."""

from __future__ import annotations

import itertools

import pytest
from redis import Redis

from regrow.core.errors import JobNotFound, ServiceUnavailable, TooBusy
from regrow.core.jobs.model import FINAL_STATES, TRANSITIONS, JobFailure, JobState, new_job_id
from regrow.core.jobs.queue import WorkQueue
from regrow.core.jobs.store import JobStore, Limits
from regrow.core.stores.redis import connect
from tests.claims import claim_next
from tests.jobs import job_document
from tests.services import free_ports


def _job_in(state: JobState, store: JobStore, queue: WorkQueue) -> str:
    """A job of one patch that has come to this state by legal moves."""
    document = job_document(1)
    store.enter(document)
    if state in FINAL_STATES - {JobState.SUCCEEDED}:
        store.end(document.id, state)
    if state in (JobState.FITTING, JobState.ASSEMBLING, JobState.SUCCEEDED):
        claim = claim_next(queue, 1)
        assert claim is not None
        if state is not JobState.FITTING:
            queue.finish(claim)
        if state is JobState.SUCCEEDED:
            store.end(document.id, state)
    assert store.state(document.id) is state
    return document.id


@pytest.mark.parametrize(("before", "after"), list(itertools.product(JobState, sorted(FINAL_STATES))))
def test_only_legal_ends_are_made(store: JobStore, queue: WorkQueue, before: JobState, after: JobState) -> None:
    job_id = _job_in(before, store, queue)
    legal = after in TRANSITIONS[before]
    assert store.end(job_id, after) == legal
    assert store.state(job_id) == (after if legal else before)
    assert (store.get(job_id).finished_at is not None) == (store.state(job_id) in FINAL_STATES)


def test_the_table_leads_from_the_first_state_to_every_end() -> None:
    reached, new = {JobState.QUEUED}, {JobState.QUEUED}
    while new:
        new = {after for state in new for after in TRANSITIONS[state]} - reached
        reached |= new
    assert reached == set(JobState)
    assert {state for state, after in TRANSITIONS.items() if not after} == FINAL_STATES


def test_an_open_job_is_entered_once(store: JobStore) -> None:
    document = job_document()
    assert store.enter(document)
    assert not store.enter(document)
    assert store.outstanding("local") == (9, 9)
    store.fail(document.id, JobFailure("batch-failed", "it never finished"))
    assert store.outstanding("local") == (0, 0)
    assert store.get(document.id).error == JobFailure("batch-failed", "it never finished")
    assert store.enter(document), "a retry"
    assert store.get(document.id).error is None


def test_limits_count_outstanding_patches(store: JobStore, queue: WorkQueue) -> None:
    """H4, for one owner and for all."""
    limits = Limits(owned=10, in_all=15)
    first = job_document(9, owner="ada")
    store.enter(first, limits)
    with pytest.raises(TooBusy, match="more than 10 of your patches"):
        store.enter(job_document(2, owner="ada"), limits)
    with pytest.raises(TooBusy, match="more than 15 of patches"):
        store.enter(job_document(7, owner="bob"), limits)
    claim = claim_next(queue, 4)
    assert claim is not None
    queue.finish(claim)
    assert store.outstanding("ada") == (9 - len(claim.patches), 9 - len(claim.patches))
    store.enter(job_document(2, owner="ada"), limits)
    store.end(first.id, JobState.CANCELLED)
    assert store.outstanding("ada") == (2, 2)


def test_waiting_jobs_have_a_place(store: JobStore, queue: WorkQueue) -> None:
    documents = [job_document(1) for _ in range(3)]
    for number, document in enumerate(documents):
        store.enter(document.model_copy(update={"created_ms": documents[0].created_ms + number}))
    assert [store.get(document.id).queue_position for document in documents] == [1, 2, 3]
    claim_next(queue, 1)
    assert [store.get(document.id).queue_position for document in documents] == [None, 1, 2]
    store.end(documents[1].id, JobState.CANCELLED)
    assert store.get(documents[2].id).queue_position == 1


def test_progress_adds_up_over_units(store: JobStore, queue: WorkQueue) -> None:
    document = job_document(4)
    store.enter(document)
    claims = [claim_next(queue, 2), claim_next(queue, 2)]
    queue.note_progress(claims[0], 1.0)
    queue.note_progress(claims[1], 0.5)
    job = store.get(document.id)
    assert job.progress == pytest.approx(0.375)
    queue.finish(claims[0])
    job = store.get(document.id)
    assert job.progress == pytest.approx(0.625)
    assert job.psnr is None, "E6: known when it was measured on the stored file"
    assert job.attempts == 2


def test_late_notes_do_not_bring_back_a_job_that_is_gone(store: JobStore, queue: WorkQueue, redis: Redis) -> None:
    document = job_document()
    store.enter(document)
    claim = claim_next(queue, 2)
    assert claim is not None
    store.forget(document.id)
    queue.note_progress(claim, 1.0)
    assert queue.renew([claim]) == [False]
    assert not queue.finish(claim)
    assert queue.progressed(claim, 1) == claim
    queue.hand_back(claim)
    assert claim_next(queue, 2) is None
    with pytest.raises(JobNotFound):
        store.get(document.id)
    assert store.newest(200) == []
    left = {str(key) for key in redis.scan_iter("regrow:*")} - {f"regrow:events:{document.id}"}
    assert left <= {f"regrow:{name}" for name in ("protocol", "clock", "claims", "served")}
    assert 0 < redis.ttl(f"regrow:events:{document.id}") <= 30, "who follows it is told"  # type: ignore[operator]


def test_those_who_come_between_two_pages_repeat_none(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(150):
        store.enter(job_document(1))
    read = store._read

    def read_while_others_come(ids: list[str], **more: bool) -> object:
        store.enter(job_document(1))
        return read(ids, **more)

    monkeypatch.setattr(store, "_read", read_while_others_come)
    found = [job.id for job in store.newest(200)]
    assert len(found) == len(set(found)) == 150


def test_newest_come_first(store: JobStore) -> None:
    first = job_document()
    second = job_document(created_ms=first.created_ms + 1)
    store.enter(first)
    store.enter(second)
    assert [job.id for job in store.newest(2)] == [second.id, first.id]
    store.forget(second.id)
    assert store.newest(1)[0].id == first.id


def test_an_ended_job_keeps_its_hash_and_frees_all_else(store: JobStore, queue: WorkQueue, redis: Redis) -> None:
    document = job_document(1000, timeout=100.0)
    store.enter(document)
    while (claim := claim_next(queue, 3)) and claim.stop < 300:
        queue.note_progress(claim, 0.5)
        queue.finish(claim)
    store.end(document.id, JobState.CANCELLED)
    job_keys = {str(key) for key in redis.scan_iter(f"regrow:job:{document.id}*")}
    assert job_keys == {f"regrow:job:{document.id}"}
    assert not [name for name in redis.hkeys(f"regrow:job:{document.id}") if name.startswith("live:")]
    assert redis.memory_usage(f"regrow:job:{document.id}") < 2000
    assert redis.ttl(f"regrow:job:{document.id}") > 0
    for key in ("open", "waiting", "deadlines", "owners", "outstanding", "lane:local:normal"):
        assert not redis.exists(f"regrow:{key}"), key


def test_ids_sort_by_time_and_cannot_be_guessed() -> None:
    ids = [new_job_id() for _ in range(100)]
    assert len({job_id[12:] for job_id in ids}) == 100
    assert [job_id[:12] for job_id in ids] == sorted(job_id[:12] for job_id in ids)


def test_a_dead_redis_is_named() -> None:
    (port,) = free_ports(1)
    store = JobStore(connect(f"redis://127.0.0.1:{port}/0"))
    with pytest.raises(ServiceUnavailable):
        store.get("0" * 32)
