"""Random interleavings of all that can go wrong, against a real Valkey and real blobs: every accepted job ends once.

Hypothesis plays the workers, one unit at a time: done, failed, handed back, killed before or after the part was stored,
or so slow that another has done it meanwhile. It flushes Redis, lets leases and jobs' time end, cancels, retries and
deletes.
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from regrow.core.codec.decode import decode
from regrow.core.codec.encode.candidate import Candidate
from regrow.core.codec.encode.encoder import EncodedPatches
from regrow.core.codec.encode.flat import flat_candidate
from regrow.core.codec.fit.checkpoint import Checkpoints
from regrow.core.codec.fit.task import FitHooks
from regrow.core.codec.images import Picture
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import FitStopped, JobNotFound, JobNotRetryable
from regrow.core.jobs.counters import Counters
from regrow.core.jobs.documents import OPEN, JobKeys, OutcomeDocument
from regrow.core.jobs.messages import QueueName, unit_of_message
from regrow.core.jobs.model import FINAL_STATES, JobFailure, JobState, OnFailure
from regrow.core.jobs.queue import WorkQueue
from regrow.core.jobs.store import Limits
from regrow.core.jobs.sweeper import Sweeper
from regrow.core.jobs.work_unit import UnitKind, WorkUnit
from regrow.core.stores.redis import connect
from regrow.worker.encode_job import EncodeJob
from regrow.worker.leases import Hold, Leases
from regrow.worker.source_cache import Sources
from regrow.worker.speed import Speed
from tests.claims import NODE, claim_next, room_for
from tests.jobs import accept, backend_at, job_document
from tests.pictures import smooth_picture
from tests.recount import check_counts


class _Killed(BaseException):
    """Here a worker's process would be gone."""


class _MortalQueue(WorkQueue):
    """Kills the worker between storing a part and counting it, when told to."""

    killing = False

    def finish(self, unit: WorkUnit, *, failed: int = 0) -> bool:
        if self.killing:
            raise _Killed
        return super().finish(unit, failed=failed)


_flats: dict[EncodeSettings, Candidate] = {}
"""One for every patch: to make one takes half a second."""


def _flat(
    picture: Picture, patches: range, asked: EncodeSettings, hooks: FitHooks, checkpoints: Checkpoints[bytes]
) -> EncodedPatches:
    if asked not in _flats:
        _flats[asked] = flat_candidate(picture, patches.start, asked)
    return EncodedPatches([[_flats[asked]] for _ in patches], len(patches))


class JobMachine(RuleBasedStateMachine):
    redis_url = ""
    units = Bundle("units")
    jobs_sent = Bundle("jobs_sent")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="regrow-machine-"))
        self.redis = connect(self.redis_url)
        self.redis.flushall()
        backend = backend_at(self.redis_url, self.folder)
        self.store, self.blobs, self.jobs = backend.store, backend.blobs, backend.jobs
        self.queue = _MortalQueue(self.redis, lease=60)
        self.sweeper = Sweeper(replace(backend, queue=self.queue))
        self.worker = EncodeJob(
            jobs=self.jobs,
            store=self.store,
            blobs=self.blobs,
            leases=Leases(self.queue),
            sources=Sources(self.blobs),
            counters=Counters(self.redis),
            encode=_flat,
            speed=Speed("numba"),
            checkpoint_seconds=60,
            stopping=threading.Event(),
        )
        self.ended: dict[str, JobState] = {}
        self.sent: dict[str, int] = {}
        self.gone: set[str] = set()
        self.stale: list[WorkUnit] = []

    def teardown(self) -> None:
        try:
            self._bring_all_to_an_end()
        finally:
            self.redis.flushall()
            shutil.rmtree(self.folder)

    @rule(
        target=jobs_sent,
        patches=st.integers(1, 7),
        on_failure=st.sampled_from(OnFailure),
        owner=st.sampled_from(["ada", "bob"]),
    )
    def send(self, patches: int, on_failure: OnFailure = OnFailure.FAIL, owner: str = "ada") -> str:
        document = job_document(patches, on_failure=on_failure, owner=owner)
        accept(self.jobs, document, smooth_picture(40, 40 * patches, 3).to_png())
        self.sent[document.id] = patches
        return document.id

    @rule(target=units, most=st.integers(1, 4))
    def claim(self, most: int) -> object:
        claim = claim_next(self.queue, most)
        return multiple() if claim is None else claim

    @rule(slots=st.integers(1, 3), most=st.integers(1, 4))
    def workers_come(self, slots: int, most: int) -> None:
        """From now on, whoever enters a job sends what they have room for."""
        room_for(self.redis, most, slots)
        self.jobs.dispatcher.dispatch()

    @rule()
    def workers_go(self) -> None:
        self.redis.delete("regrow:queues")

    @rule(target=units)
    def a_message_comes(self) -> object:
        """The oldest; its worker begins what it names, or drops it."""
        unit = self._message()
        return unit if unit and self.queue.begin(unit, NODE) else multiple()

    @rule()
    def a_message_comes_twice(self) -> None:
        unit = self._message()
        if unit:
            self.stale.append(unit)
            if self.queue.begin(unit, NODE):
                assert not self.queue.begin(unit, NODE)
                self._run(unit)

    @rule()
    def a_message_comes_late(self) -> None:
        if self.stale:
            unit = self.stale.pop()
            if self.queue.begin(unit, NODE):  # nobody had missed it yet
                self._run(unit)

    @rule()
    def a_message_is_lost(self) -> None:
        unit = self._message()
        if unit:
            self.stale.append(unit)

    @rule()
    def messages_are_waited_for_no_longer(self) -> None:
        for lease in self.redis.zrange("regrow:sent", 0, -1):
            self.redis.zadd("regrow:sent", {lease: 1})
        self.queue.expire()

    @rule(unit=consumes(units))
    def do(self, unit: WorkUnit) -> None:
        self._run(unit)

    @rule(unit=units)
    def do_and_come_again(self, unit: WorkUnit) -> None:
        """A duplicate: the same unit stays in somebody else's hands."""
        self._run(unit)

    @rule(unit=consumes(units))
    def fail(self, unit: WorkUnit) -> None:
        self.queue.fail(unit, JobFailure("internal-error", "it broke"))

    @rule(unit=consumes(units))
    def hand_back(self, unit: WorkUnit) -> None:
        self.queue.hand_back(unit)

    @rule(unit=consumes(units), stored=st.booleans())
    def be_killed(self, unit: WorkUnit, stored: bool) -> None:
        if stored and unit.kind is UnitKind.FIT:
            self.queue.killing = True
            try:
                self._run(unit)
            finally:
                self.queue.killing = False

    @rule()
    def leases_end(self) -> None:
        for lease in self.redis.zrange("regrow:leases", 0, -1):
            self.redis.zadd("regrow:leases", {lease: 1})
        self.queue.expire()

    @rule()
    def memory_is_lost(self) -> None:
        self.redis.flushall()

    @rule()
    def reconcile(self) -> None:
        self.sweeper.reconcile()

    @rule(job_id=jobs_sent)
    def cancel(self, job_id: str) -> None:
        with self._maybe_gone(job_id):
            self.jobs.get(job_id)
            self.jobs.cancel(job_id)

    @rule(job_id=jobs_sent)
    def run_out_of_time(self, job_id: str) -> None:
        with self._maybe_gone(job_id):
            self.jobs.get(job_id)
            self.jobs.fail(job_id, JobFailure("timeout", "the job ran for longer than its timeout"))

    @rule(job_id=jobs_sent)
    def retry(self, job_id: str) -> None:
        with self._maybe_gone(job_id), contextlib.suppress(JobNotRetryable):
            self.jobs.retry(job_id, Limits())
            self.ended.pop(job_id, None)

    @rule(job_id=jobs_sent)
    def delete(self, job_id: str) -> None:
        with self._maybe_gone(job_id):
            self.jobs.delete(job_id)
        self.gone.add(job_id)

    @contextlib.contextmanager
    def _maybe_gone(self, job_id: str) -> Iterator[None]:
        try:
            yield
        except JobNotFound:
            assert job_id in self.gone

    @invariant()
    def counts_are_sound(self) -> None:
        check_counts(self.redis)
        for job in self.store.newest(100):
            assert 0 <= job.patches_done <= job.patches_total
            assert job.patches_failed <= job.patches_done
            if job.state in FINAL_STATES:
                assert self.ended.setdefault(job.id, job.state) is job.state, "an end is for ever"
            if job.state in (JobState.ASSEMBLING, JobState.SUCCEEDED):
                assert job.patches_done == job.patches_total

    def _message(self) -> WorkUnit | None:
        """The oldest of some queue, as Celery would take it."""
        for queue in QueueName:
            raw = self.redis.rpop(queue)
            if raw:
                message = json.loads(raw)
                kind = UnitKind(message["headers"]["task"].removeprefix("regrow."))
                return unit_of_message(kind, queue, json.loads(base64.b64decode(message["body"]))[1])
        return None

    def _run(self, unit: WorkUnit) -> None:
        def ignoring_kills(run: Callable[[Hold], None]) -> None:
            try:
                run(Hold(unit))
                self.queue.let_go(unit)
            except (_Killed, FitStopped):
                pass

        ignoring_kills(self.worker.run)

    def _bring_all_to_an_end(self) -> None:
        self.workers_go()
        for _ in range(200):
            self.leases_end()
            self.messages_are_waited_for_no_longer()
            self.sweeper.reconcile()
            while (claim := claim_next(self.queue, 4)) is not None:
                self._run(claim)
            if not self.store.open_jobs() and not self.blobs.list(OPEN):
                break
        for job_id in self.gone:
            assert not self.blobs.list(JobKeys(job_id).prefix)
        for job_id, patches in self.sent.items():
            if job_id in self.gone:
                continue
            job = self.jobs.get(job_id)
            assert job.state in FINAL_STATES
            outcome = OutcomeDocument.model_validate_json(self.blobs.get(JobKeys(job_id).outcome))
            assert outcome.state is job.state is self.ended.get(job_id, job.state)
            assert self.blobs.exists(JobKeys(job_id).bundle) == (job.state is JobState.SUCCEEDED)
            if job.state is JobState.SUCCEEDED:
                assert decode(self.blobs.get(JobKeys(job_id).bundle)).picture.width == 40 * patches
                assert self.blobs.list(JobKeys(job_id).parts) == []
        assert self.blobs.list(OPEN) == []
        assert not self.redis.exists("regrow:outstanding")
        for key in ("sent", "leases", "owners", "ending:owners", "open", "waiting", "assembling"):
            assert not self.redis.exists(f"regrow:{key}"), key


@pytest.fixture(autouse=True)
def _no_other_codecs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they make of the picture takes longer than all the rest of a job here, and is the same for each."""
    monkeypatch.setattr("regrow.core.codec.encode.report.best_files", lambda *_: ())


@pytest.mark.timeout(600)
def test_every_accepted_job_ends_once(redis_url: str) -> None:
    JobMachine.redis_url = redis_url
    run_state_machine_as_test(
        JobMachine,
        settings=settings(
            max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_R2_a_part_from_before_a_flush_takes_a_waiting_job_to_its_assembly(redis_url: str) -> None:
    """The shortest run of the machine that ever failed: the job stayed among those that wait."""
    JobMachine.redis_url = redis_url
    machine = JobMachine()
    machine.send(1)
    unit = machine.claim(1)
    machine.memory_is_lost()
    machine.reconcile()
    machine.do(unit)
    assert Counters(machine.redis).read().jobs == {
        JobState.QUEUED: 0,
        JobState.FITTING: 0,
        JobState.ASSEMBLING: 1,
    }
    machine.counts_are_sound()
    machine.teardown()


def test_R2_a_part_from_before_a_flush_begins_a_waiting_job(redis_url: str) -> None:
    JobMachine.redis_url = redis_url
    machine = JobMachine()
    job_id = machine.send(3)
    unit = machine.claim(1)
    machine.memory_is_lost()
    machine.reconcile()
    machine.do(unit)
    job = machine.store.get(job_id)
    assert (job.state, job.patches_done, job.queue_position) == (JobState.FITTING, 1, None)
    machine.counts_are_sound()
    machine.teardown()
