"""What each kind of error means for the message."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import Reject
from worker.device import TooSlow

from core.errors import FitStopped, JobNotFound, RegrowError, ServiceUnavailable
from core.jobs.messages import MESSAGE_VERSION
from core.jobs.model import JobFailure
from worker.tasks import MAX_ATTEMPTS, StepRunner


class _Store:
    """Remembers, in this process, what the Redis store would."""

    def __init__(self) -> None:
        self.begun = 0
        self.failures: list[JobFailure] = []
        self.down = False

    def begin(self, job_id: str, step: str, *, batch: bool) -> int:
        self.begun += 1
        return self.begun

    def give_back(self, job_id: str, step: str) -> None:
        self.begun -= 1

    def fail(self, job_id: str, failure: JobFailure) -> bool:
        if self.down:
            raise ServiceUnavailable("Redis cannot be reached")
        self.failures.append(failure)
        return True


@pytest.fixture
def store() -> _Store:
    return _Store()


@pytest.fixture
def runner(store: _Store, monkeypatch: pytest.MonkeyPatch) -> StepRunner:
    monkeypatch.setattr("worker.tasks.REST_SECONDS", 0.0)
    job: Any = SimpleNamespace(store=store, stopping=threading.Event())
    return StepRunner(job)


def _raises(error: Exception) -> Callable[[], None]:
    def step() -> None:
        raise error

    return step


@pytest.mark.parametrize("error", [ServiceUnavailable("away"), FitStopped("asked to stop")])
def test_outages_and_shutdowns_hand_the_message_back_and_cost_no_attempt(
    runner: StepRunner, store: _Store, error: Exception
) -> None:
    for _ in range(2 * MAX_ATTEMPTS):
        with pytest.raises(Reject) as rejected:
            runner.run(_raises(error), "job", "batch 0", MESSAGE_VERSION)
        assert rejected.value.requeue
    assert store.failures == []
    assert runner.current is None


def test_what_kills_its_worker_is_not_tried_for_ever(runner: StepRunner, store: _Store) -> None:
    store.begun = MAX_ATTEMPTS  # as after three deliveries of which nothing was heard again
    runner.run(_raises(AssertionError("must not run")), "job", "batch 0", MESSAGE_VERSION)
    assert store.failures == [JobFailure("step-failed", f"batch 0 was tried {MAX_ATTEMPTS} times and never finished")]


@pytest.mark.parametrize(
    ("error", "kind"),
    [(TooSlow("one patch"), "too-slow"), (RegrowError("wrong"), "worker-error"), (KeyError("x"), "internal-error")],
)
def test_other_errors_end_the_job_with_a_reason(runner: StepRunner, store: _Store, error: Exception, kind: str) -> None:
    runner.run(_raises(error), "job", "plan", MESSAGE_VERSION)
    assert [failure.type for failure in store.failures] == [kind]


def test_a_failure_that_cannot_be_noted_hands_the_message_back(runner: StepRunner, store: _Store) -> None:
    store.down = True
    with pytest.raises(Reject):
        runner.run(_raises(KeyError("x")), "job", "plan", MESSAGE_VERSION)


def test_a_job_that_is_gone_is_dropped(runner: StepRunner, store: _Store) -> None:
    runner.run(_raises(JobNotFound("gone")), "job", "plan", MESSAGE_VERSION)
    assert store.failures == []


def test_another_version_ends_the_job(runner: StepRunner, store: _Store) -> None:
    runner.run(_raises(AssertionError("must not run")), "job", "plan", MESSAGE_VERSION + 1)
    assert [failure.type for failure in store.failures] == ["version-mismatch"]


def test_a_worker_that_is_stopping_takes_nothing(runner: StepRunner) -> None:
    runner._job.stopping.set()
    with pytest.raises(Reject):
        runner.run(_raises(AssertionError("must not run")), "job", "plan", MESSAGE_VERSION)
