"""The sweeper against a real Valkey and real blobs: what each half of a crash leaves is taken up, by any number."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis

from regrow.core.errors import IdempotencyInFlight, JobNotFound, ServiceUnavailable, StorageFull, TooBusy
from regrow.core.jobs.documents import IDEMPOTENCY, JOBS, OPEN, JobDocument, JobKeys, OutcomeDocument
from regrow.core.jobs.idempotency import days, reserve
from regrow.core.jobs.lifecycle import Jobs
from regrow.core.jobs.messages import QueueName
from regrow.core.jobs.model import JobState
from regrow.core.jobs.queue import NOTHING_EXPIRED, Expired, WorkQueue
from regrow.core.jobs.redis_keys import Key
from regrow.core.jobs.store import Limits
from regrow.core.jobs.sweeper import Sweeper
from regrow.core.jobs.wiring import Backend
from regrow.core.jobs.work_unit import WorkUnit
from regrow.core.jobs.workers import WorkerRecord
from regrow.core.stores.files import FilesBlobStore
from regrow.core.times import now_ms
from tests.claims import NODE, claim_next
from tests.jobs import accept, backend_at, job_document


@pytest.fixture
def backend(redis: Redis, redis_url: str, tmp_path: Path) -> Backend:
    return backend_at(redis_url, tmp_path)


@pytest.fixture
def jobs(backend: Backend) -> Jobs:
    return backend.jobs


@pytest.fixture
def sweeper(redis: Redis, backend: Backend) -> Sweeper:
    return Sweeper(replace(backend, queue=WorkQueue(redis, lease=0)))


def _accept(jobs: Jobs, **more: object) -> JobDocument:
    document = job_document(4, **more)
    accept(jobs, document)
    return document


def test_a_retry_has_as_long_as_was_asked_for(jobs: Jobs, redis: Redis) -> None:
    """However late it comes, and however often."""
    document = _accept(jobs, created_ms=now_ms() - 100_000, start_timeout=1000.0)
    for _ in range(3):
        jobs.cancel(document.id)
        before = jobs.store.now_ms()
        jobs.retry(document.id, Limits())
        deadline = redis.zscore("regrow:start-deadlines", document.id)
        assert before + 1_000_000 <= float(str(deadline)) <= jobs.store.now_ms() + 1_000_000


def test_of_many_who_take_up_a_dead_request_one_makes_the_job(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """H8: the first with the key has died; each of two generations of repeats has one that reserves."""
    made: list[str] = []
    for generation in range(3):
        monkeypatch.setattr("regrow.core.jobs.idempotency.now_ms", lambda later=generation: now_ms() + 100_000 * later)

        def repeat(_: int) -> str | None:
            try:
                return reserve(jobs.blobs, "ann", "key", "the request", jobs.exists).job_id
            except IdempotencyInFlight:
                return None

        with ThreadPoolExecutor(8) as threads:
            found = [each for each in threads.map(repeat, range(8)) if each is not None]
        assert len(found) == 1, "all others are told that it is in flight"
        made += found
    assert len(set(made)) == 3
    accept(jobs, job_document(1, id=made[-1]))
    assert reserve(jobs.blobs, "ann", "key", "the request", jobs.exists).job_id == made[-1]


def test_lost_jobs_are_entered_with_their_parts(jobs: Jobs, sweeper: Sweeper, redis: Redis) -> None:
    document = _accept(jobs)
    jobs.blobs.put(JobKeys(document.id).part(range(1, 3)), b"{}")
    redis.flushall()
    sweepers = [threading.Thread(target=sweeper.reconcile) for _ in range(4)]
    for thread in sweepers:
        thread.start()
    for thread in sweepers:
        thread.join()
    assert jobs.store.get(document.id).patches_done == 2
    assert jobs.store.outstanding("local") == (2, 2)


def test_an_upload_that_died_early_is_removed_when_it_cannot_be_on_its_way_any_more(
    jobs: Jobs, sweeper: Sweeper
) -> None:
    young, old = job_document(), job_document(id=f"{now_ms() - 1_200_000:012x}" + "0" * 20)
    for document in (young, old):
        jobs.blobs.put(JobKeys(document.id).open, b"")
        jobs.blobs.put(JobKeys(document.id).source, b"half an upload")
    sweeper.reconcile()
    assert jobs.blobs.list(OPEN) == [JobKeys(young.id).open]
    assert not jobs.blobs.exists(JobKeys(old.id).source)


def test_an_end_that_was_not_written_down_is(jobs: Jobs, sweeper: Sweeper) -> None:
    document = _accept(jobs)
    keys = JobKeys(document.id)
    jobs.blobs.put(keys.part(range(1)), b"{}")
    jobs.store.end(document.id, JobState.CANCELLED)  # and there whoever did it died
    sweeper.reconcile()
    assert jobs.blobs.exists(keys.outcome)
    assert jobs.blobs.list(keys.parts) == []
    assert not jobs.blobs.exists(keys.open)


def test_jobs_that_lost_their_place_are_entered_anew(jobs: Jobs, sweeper: Sweeper, redis: Redis) -> None:
    document = _accept(jobs)
    redis.delete("regrow:lane:local:normal", "regrow:owners")
    sweeper.reconcile()
    claim = claim_next(WorkQueue(redis, lease=60), 100)
    assert claim is not None
    assert claim.job_id == document.id


def test_a_marker_that_was_lost_is_written_again(jobs: Jobs, sweeper: Sweeper) -> None:
    document = _accept(jobs)
    jobs.blobs.delete(JobKeys(document.id).open)
    sweeper.reconcile()
    assert jobs.blobs.exists(JobKeys(document.id).open)


def test_a_job_without_blobs_is_forgotten(jobs: Jobs, sweeper: Sweeper) -> None:
    document = job_document()
    jobs.store.enter(document)
    sweeper.reconcile()
    with pytest.raises(JobNotFound):
        jobs.store.get(document.id)


def test_the_overdue_fail(jobs: Jobs, sweeper: Sweeper) -> None:
    late, soon = _accept(jobs, start_timeout=1.0, created_ms=now_ms() - 2000), _accept(jobs, start_timeout=1000.0)
    sweeper.sweep()
    job = jobs.get(late.id)
    assert job.error is not None
    assert (job.state, job.error.type) == (JobState.FAILED, "start-timeout")
    assert jobs.get(soon.id).state is JobState.QUEUED


def test_a_timeout_runs_from_when_a_worker_begins(jobs: Jobs, backend: Backend, sweeper: Sweeper, redis: Redis) -> None:
    """However long the job has waited; a start_timeout is over then."""
    document = _accept(jobs, timeout=1.0, start_timeout=100.0, created_ms=now_ms() - 50_000)
    sweeper.sweep()
    assert jobs.get(document.id).state is JobState.QUEUED
    unit = claim_next(backend.queue)
    assert unit is not None
    ends = redis.zscore(Key.DEADLINES, document.id)
    assert jobs.store.now_ms() < ends <= jobs.store.now_ms() + 1000  # type: ignore[operator]
    assert redis.zscore(Key.START_DEADLINES, document.id) is None
    redis.zadd(Key.DEADLINES, {document.id: 1})
    sweeper.sweep()
    job = jobs.get(document.id)
    assert job.error is not None
    assert (job.state, job.error.type) == (JobState.FAILED, "timeout")
    assert not backend.queue.finish(unit)


def test_work_waits_for_a_worker_and_a_sweep_sends_what_it_has_room_for(
    jobs: Jobs, backend: Backend, sweeper: Sweeper, redis: Redis
) -> None:
    """Without a worker, no message."""
    _accept(jobs)
    sweeper.sweep()
    assert redis.llen(QueueName.FIT_CPU) == 0
    backend.workers.report(_worker(), expires_after=60)
    sweeper.sweep()
    sweeper.sweep()
    assert redis.llen(QueueName.FIT_CPU) == 2, "one to begin, one to wait"


def test_a_message_that_was_lost_is_sent_again_once(
    jobs: Jobs, backend: Backend, sweeper: Sweeper, redis: Redis
) -> None:
    document = _accept(jobs)
    backend.workers.report(_worker(batch_cost=100), expires_after=60)
    sweeper.sweep()
    (lost,) = _sent(redis)
    redis.delete(QueueName.FIT_CPU)
    assert backend.queue.expire() == NOTHING_EXPIRED, "it may be in a worker's hands"
    redis.zadd(Key.SENT, {lost.lease: 1})
    assert backend.queue.expire() == Expired(leases=0, messages=1)
    sweeper.sweep()
    sweeper.sweep()
    assert redis.llen(QueueName.FIT_CPU) == 1
    (again,) = _sent(redis)
    assert (again.job_id, again.patches, again.tries) == (document.id, range(4), 1)
    assert not backend.queue.begin(lost, NODE), "it comes late"
    assert backend.queue.begin(again, NODE)
    assert not backend.queue.begin(again, NODE), "it comes twice"


def test_a_message_that_waits_for_a_busy_worker_is_not_lost(
    jobs: Jobs, backend: Backend, sweeper: Sweeper, redis: Redis
) -> None:
    _accept(jobs)
    backend.workers.report(_worker(batch_cost=100), expires_after=60)
    sweeper.sweep()
    (waiting,) = _sent(redis)
    redis.zadd(Key.SENT, {waiting.lease: 1})
    assert backend.queue.expire() == NOTHING_EXPIRED
    assert redis.zscore(Key.SENT, waiting.lease) > 1, "looked at again later"  # type: ignore[operator]


def test_what_waits_for_workers_that_are_gone_is_put_back(
    jobs: Jobs, backend: Backend, sweeper: Sweeper, redis: Redis
) -> None:
    """And goes to a queue that has some."""
    _accept(jobs)
    backend.workers.report(_worker(queues=("regrow.fit.cuda",)), expires_after=60)
    sweeper.sweep()
    stranded = _sent(redis)
    assert {unit.queue for unit in stranded} == {"regrow.fit.cuda"}
    backend.workers.remove(_worker().id)
    backend.workers.report(_worker(id="other:1"), expires_after=60)
    redis.zadd(Key.SENT, {unit.lease: 1 for unit in stranded})
    backend.capacity.sum_up()
    assert backend.queue.expire().messages == len(stranded)
    sweeper.sweep()
    assert {unit.queue for unit in _sent(redis)} == {"regrow.fit.cpu"}


def test_it_is_told_where_no_worker_can_do_what_waits(
    jobs: Jobs, backend: Backend, sweeper: Sweeper, redis: Redis
) -> None:
    """Since when, and what would; until one comes."""
    document = _accept(jobs)
    sweeper.sweep()
    warning = jobs.get(document.id).warning
    assert warning is not None
    assert "no live worker takes from regrow.fit.cpu or regrow.fit.cuda" in warning
    assert "-Q regrow.fit.cpu" in warning
    sweeper.sweep()
    assert jobs.get(document.id).warning == warning, "since the same time"
    assert list(backend.capacity.unserved()) == ["fit"], "nothing waits to be assembled"
    backend.workers.report(_worker(queues=("regrow.fit.cuda",)), expires_after=60)
    sweeper.sweep()
    assert jobs.get(document.id).warning is None
    assert backend.capacity.unserved() == {}


def test_a_step_in_work_names_its_worker_and_queue(jobs: Jobs, backend: Backend) -> None:
    document = _accept(jobs)
    first, second = claim_next(backend.queue, 2), claim_next(backend.queue, 2)
    assert first is not None
    assert second is not None
    steps = jobs.get(document.id).steps
    assert [(step.start, step.stop, step.queue, step.worker) for step in steps] == [
        (0, 2, "regrow.fit.cpu", NODE),
        (2, 4, "regrow.fit.cpu", NODE),
    ]
    backend.queue.finish(first)
    backend.queue.hand_back(second)
    assert jobs.get(document.id).steps == ()


def _worker(**more: object) -> WorkerRecord:
    fields: dict[str, object] = {
        "id": "host:1",
        "host": "host",
        "pid": 1,
        "device": "cpu",
        "engine": "numba",
        "version": "1",
        "queues": ("regrow.fit.cpu", "regrow.assemble"),
        "batch_cost": 1.0,
    }
    return WorkerRecord.model_validate(fields | more)


def _sent(redis: Redis) -> list[WorkUnit]:
    return [WorkUnit.of(lease) for lease in redis.zrange(Key.SENT, 0, -1)]


def test_what_has_had_its_time_is_deleted_whole(redis: Redis, backend: Backend, jobs: Jobs) -> None:
    """RESULT_TTL, from a job's end; and idempotency keys after a day."""
    old = f"{now_ms() - 10_000:012x}"
    ended, running = _accept(jobs, id=old + "0" * 20), _accept(jobs, id=old + "1" * 20)
    fresh = _accept(jobs)
    for document in (ended, fresh):
        jobs.cancel(document.id)
    redis.hset(f"regrow:job:{ended.id}", "finished_ms", now_ms() - 9000)
    jobs.close(ended.id)
    for day in ("2026-01-01", *days(now_ms())):
        jobs.blobs.put(f"{IDEMPOTENCY}{day}/key", b"{}")
    sweeper = Sweeper(backend, timedelta(seconds=5))
    sweeper.clean()
    assert jobs.blobs.list(JobKeys(ended.id).prefix) == []
    with pytest.raises(JobNotFound):
        jobs.get(ended.id)
    assert jobs.get(running.id).state is JobState.QUEUED
    assert jobs.get(fresh.id).state is JobState.CANCELLED
    assert jobs.blobs.folders(IDEMPOTENCY) == sorted(days(now_ms()))


def test_a_sweeper_outlives_an_outage(redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It says so once, and stops when told to."""
    from tests.services import free_ports, wait_until

    nowhere = f"redis://127.0.0.1:{free_ports(1)[0]}/0"
    stopping = threading.Event()
    thread = threading.Thread(target=Sweeper(backend_at(nowhere, tmp_path)).run, args=[stopping])
    thread.start()
    wait_until(lambda: "cannot be reached" in caplog.text, "its saying so")
    stopping.set()
    thread.join(10)
    assert not thread.is_alive()
    assert caplog.text.count("cannot be reached") <= 2, "once for each of its threads"


def test_a_full_disk_has_an_error_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F10"""
    import errno
    import os

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    store = FilesBlobStore(tmp_path)
    with pytest.raises(StorageFull, match="No space left"):
        store.put("jobs/1/job.json", b"{}")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_one_jobs_trouble_is_not_the_others(jobs: Jobs, sweeper: Sweeper, redis: Redis) -> None:
    """A document of another release, and files that are nobody's."""
    documents = [_accept(jobs) for _ in range(3)]
    jobs.blobs.put(JobKeys(documents[0].id).job, b'{"version": 99}')
    jobs.blobs.put(OPEN + ".nfs0001", b"")
    jobs.blobs.put(f"{JOBS}lost+found/1", b"")
    redis.flushall()
    sweeper.reconcile()
    sweeper.clean()
    assert set(jobs.store.open_jobs()) == {document.id for document in documents[1:]}


def test_a_deletion_that_was_interrupted_is_finished(
    jobs: Jobs, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = _accept(jobs, id=f"{now_ms() - 1_200_000:012x}" + "0" * 20)
    keys = JobKeys(document.id)
    jobs.blobs.put(keys.part(range(4)), b"{}")
    with monkeypatch.context() as patched:
        patched.setattr("regrow.core.jobs.lifecycle.delete_all", _die)
        with pytest.raises(KeyboardInterrupt):
            jobs.delete(document.id)
    with pytest.raises(JobNotFound):
        jobs.get(document.id)
    sweeper.reconcile()
    assert jobs.blobs.list(keys.prefix) == jobs.blobs.list(OPEN) == []


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_retry_that_died_halfway_is_a_retry(
    jobs: Jobs, sweeper: Sweeper, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After FLUSHALL too: its old outcome does not end it again."""
    document = _accept(jobs, timeout=1000.0)
    jobs.cancel(document.id)
    with monkeypatch.context() as patched:
        patched.setattr(FilesBlobStore, "delete", _die)
        with pytest.raises(KeyboardInterrupt):
            jobs.retry(document.id, Limits())
    assert jobs.blobs.exists(JobKeys(document.id).outcome)
    redis.flushall()
    sweeper.reconcile()
    assert jobs.get(document.id).state is JobState.QUEUED


def test_a_view_of_an_end_does_not_undo_a_new_beginning(jobs: Jobs) -> None:
    document = _accept(jobs)
    jobs.store.enter_ended(document, OutcomeDocument(state=JobState.FAILED, finished_ms=1))
    assert jobs.get(document.id).state is JobState.QUEUED


def test_what_cannot_be_undone_now_is_later(jobs: Jobs, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blob store goes away between an upload's refusal and its removal."""
    document = job_document(4, id=f"{now_ms() - 1_200_000:012x}" + "0" * 20)

    def away(*_: object) -> None:
        raise ServiceUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr("regrow.core.jobs.lifecycle.delete_all", away)
        with pytest.raises(TooBusy):
            accept(jobs, document, limits=Limits(owned=1))
    assert jobs.blobs.exists(JobKeys(document.id).source)
    sweeper.reconcile()
    assert jobs.blobs.list(JobKeys(document.id).prefix) == jobs.blobs.list(OPEN) == []
    with pytest.raises(JobNotFound):
        jobs.get(document.id)
