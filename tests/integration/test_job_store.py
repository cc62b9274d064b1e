"""Jobs in a real Valkey: legal moves, parts counted once, the finisher found."""

from __future__ import annotations

import itertools
import threading

import pytest

from core.codec.presets import Effort, Preset
from core.codec.seeds import SeedKind
from core.errors import JobNotFound, ServiceUnavailable
from core.jobs.documents import JobDocument
from core.jobs.model import FINAL_STATES, TRANSITIONS, JobFailure, JobState, new_job_id, now
from core.jobs.store import JobStore, connect
from tests.services import free_ports


@pytest.fixture
def store(redis_url: str) -> JobStore:
    return JobStore(connect(redis_url))


def _create(store: JobStore, patches: int = 9) -> str:
    document = JobDocument(
        id=new_job_id(),
        created_at=now(),
        width=120,
        height=120,
        channels=3,
        source_bytes=1,
        preset=Preset.SMALL,
        effort=Effort.DRAFT,
        seed=SeedKind.PIXEL,
        seed_number=0,
    )
    store.create(document, patches)
    return document.id


_PATHS = {
    JobState.QUEUED: [],
    JobState.PLANNING: [JobState.PLANNING],
    JobState.FITTING: [JobState.PLANNING, JobState.FITTING],
    JobState.ASSEMBLING: [JobState.PLANNING, JobState.FITTING, JobState.ASSEMBLING],
    JobState.SUCCEEDED: [JobState.PLANNING, JobState.FITTING, JobState.ASSEMBLING, JobState.SUCCEEDED],
    JobState.FAILED: [JobState.FAILED],
    JobState.CANCELLED: [JobState.CANCELLED],
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(JobState, JobState)))
def test_only_legal_moves_are_made(store: JobStore, before: JobState, after: JobState) -> None:
    job_id = _create(store)
    for state in _PATHS[before]:
        assert store.move(job_id, state)
    assert store.move(job_id, after) == (after in TRANSITIONS[before])
    assert store.state(job_id) == (after if after in TRANSITIONS[before] else before)
    assert (store.get(job_id).finished_at is not None) == (store.state(job_id) in FINAL_STATES)


def test_parts_count_once_and_the_last_finds_the_finisher(store: JobStore) -> None:
    job_id = _create(store, patches=5)
    store.move(job_id, JobState.PLANNING)
    store.move(job_id, JobState.FITTING, {"batches_total": 2})
    assert not store.finish_part(job_id, 0, 3)
    assert not store.finish_part(job_id, 0, 3)
    assert store.get(job_id).patches_done == 3
    assert store.finish_part(job_id, 1, 2)
    assert store.get(job_id).patches_done == 5
    assert store.state(job_id) is JobState.ASSEMBLING
    # A redelivered part finds that assemble has to be sent, again: the first finisher may have died before it did.
    assert store.finish_part(job_id, 1, 2)
    assert store.get(job_id).patches_done == 5


def test_many_finishers_at_once_leave_one_count(store: JobStore) -> None:
    job_id = _create(store, patches=16)
    store.move(job_id, JobState.PLANNING)
    store.move(job_id, JobState.FITTING, {"batches_total": 16})
    found = []
    threads = [
        threading.Thread(target=lambda batch=batch: found.append(store.finish_part(job_id, batch, 1)))
        for batch in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(True) == 1
    assert store.get(job_id).patches_done == 16


def test_parts_of_an_ended_job_are_not_counted(store: JobStore) -> None:
    job_id = _create(store)
    store.fail(job_id, JobFailure("batch-failed", "it never finished"))
    assert not store.finish_part(job_id, 0, 9)
    job = store.get(job_id)
    assert job.patches_done == 0
    assert job.error == JobFailure("batch-failed", "it never finished")


def test_progress_adds_up_over_batches(store: JobStore) -> None:
    job_id = _create(store, patches=4)
    assert store.get(job_id).psnr is None
    store.note_progress(job_id, 0, 1.0, 0.02, 2)
    assert store.get(job_id).psnr == pytest.approx(20.0), "patches that have not begun do not count"
    store.note_progress(job_id, 1, 0.5, float("inf"), 1)
    job = store.get(job_id)
    assert job.progress == pytest.approx(0.375)
    assert job.psnr == pytest.approx(20.0)


def test_beginnings_are_counted_per_step(store: JobStore) -> None:
    job_id = _create(store)
    assert [store.begin(job_id, "batch 0", batch=True) for _ in range(3)] == [1, 2, 3]
    assert store.begin(job_id, "batch 1", batch=True) == 1
    assert store.begin(job_id, "plan", batch=False) == 1
    store.give_back(job_id, "batch 0")
    assert store.begin(job_id, "batch 0", batch=True) == 3
    assert store.get(job_id).attempts == 5


def test_late_notes_do_not_bring_back_a_job_that_is_gone(store: JobStore) -> None:
    job_id = _create(store)
    store.forget(job_id)
    assert store.begin(job_id, "batch 0", batch=True) == 0
    store.give_back(job_id, "batch 0")
    store.note_progress(job_id, 0, 1.0, 0.1, 1)
    store.note_batches_sent(job_id, 3)
    with pytest.raises(JobNotFound):
        store.get(job_id)
    assert job_id not in [job.id for job in store.newest(200)]


def test_newest_come_first_and_forgotten_jobs_are_gone(store: JobStore) -> None:
    first, second = _create(store), _create(store)
    assert [job.id for job in store.newest(2)] == [second, first]
    store.forget(second)
    assert store.newest(1)[0].id == first
    with pytest.raises(JobNotFound):
        store.get(second)


def test_a_dead_redis_is_named() -> None:
    (port,) = free_ports(1)
    store = JobStore(connect(f"redis://127.0.0.1:{port}/0"))
    with pytest.raises(ServiceUnavailable):
        store.get("0" * 32)
