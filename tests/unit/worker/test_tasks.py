"""What each kind of error means for the unit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import Reject

from regrow.core.errors import FitStopped, RegrowError, ServiceUnavailable, UnfitStore, VersionSkew
from regrow.core.jobs.messages import PROTOCOL, QueueName, message_of, queues_of, unit_of_message
from regrow.core.jobs.model import JobFailure
from regrow.core.jobs.work_unit import UnitKind, WorkUnit
from regrow.worker import tasks
from regrow.worker.leases import Hold, Leases
from regrow.worker.speed import Speed
from regrow.worker.tasks import StepFailed, UnitRunner

UNIT = WorkUnit("ab" * 16, UnitKind.FIT, 0, 4, 1, 0, 7, QueueName.FIT_CPU)


class _Queue:
    """Remembers what became of units. stale: whether none is the caller's to begin."""

    def __init__(self, *, stale: bool = False) -> None:
        self.begun: list[WorkUnit] = []
        self.handed_back, self.let_go_of = 0, 0
        self.failures: list[JobFailure] = []
        self.down, self.stale = False, stale

    def begin(self, unit: WorkUnit, node: str) -> bool:
        if self.down:
            raise ServiceUnavailable("Redis cannot be reached")
        if not self.stale:
            self.begun.append(unit)
        return not self.stale

    def hand_back(self, unit: WorkUnit) -> bool:
        self.handed_back += 1
        return True

    def let_go(self, unit: WorkUnit) -> None:
        self.let_go_of += 1

    def fail(self, unit: WorkUnit, failure: JobFailure) -> bool:
        self.failures.append(failure)
        return True


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "REST_SECONDS", (0.0, 0.0))


def _runner(queue: Any, run: Callable[[Hold], None]) -> tuple[UnitRunner, list[str]]:
    dispatched: list[str] = []
    blobs: Any = SimpleNamespace(check_fit=lambda: None)
    dispatcher: Any = SimpleNamespace(try_dispatch=lambda: dispatched.append("dispatch"))
    runner = UnitRunner(dispatcher, blobs, Leases(queue), Speed("numba"), "regrow-1@here", 30.0, threading.Event(), run)
    return runner, dispatched


def _raises(error: BaseException) -> Callable[[Hold], None]:
    def run(hold: Hold) -> None:
        raise error

    return run


def test_a_message_is_one_unit_and_its_end_hands_out_more() -> None:
    queue, done = _Queue(), []
    runner, dispatched = _runner(queue, lambda hold: done.append(hold.unit))
    runner.work(UNIT)
    assert (done, queue.begun, queue.let_go_of) == ([UNIT], [UNIT], 1)
    assert len(dispatched) == 1
    assert runner.leases.names == []


def test_a_stale_message_is_dropped() -> None:
    queue = _Queue(stale=True)
    runner, dispatched = _runner(queue, _raises(AssertionError("must not run")))
    with pytest.raises(Reject) as rejected:
        runner.work(UNIT)
    assert not rejected.value.requeue
    assert (queue.handed_back, queue.let_go_of, len(dispatched)) == (0, 0, 1)


@pytest.mark.parametrize("error", [ServiceUnavailable("away"), FitStopped("asked to stop")])
def test_outages_and_shutdowns_hand_the_unit_back(error: Exception) -> None:
    queue = _Queue()
    runner, _ = _runner(queue, _raises(error))
    with pytest.raises(Reject) as rejected:
        runner.work(UNIT)
    assert not rejected.value.requeue
    assert queue.handed_back >= 1
    assert (queue.let_go_of, queue.failures) == (0, [])
    assert runner.leases.names == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [(MemoryError(), "out-of-memory"), (RegrowError("wrong"), "worker-error"), (KeyError("x"), "internal-error")],
)
def test_other_errors_are_failures_with_a_reason(error: Exception, kind: str) -> None:
    queue = _Queue()
    runner, dispatched = _runner(queue, _raises(error))
    with pytest.raises(StepFailed):
        runner.work(UNIT)
    assert [failure.type for failure in queue.failures] == [kind]
    assert (queue.handed_back, len(dispatched)) == (0, 1)


def test_a_dead_redis_is_no_crash() -> None:
    queue = _Queue()
    queue.down = True
    runner, _ = _runner(queue, _raises(AssertionError("must not run")))
    with pytest.raises(Reject):
        runner.work(UNIT)


def test_a_message_names_its_unit_and_nothing_else() -> None:
    message = message_of(UNIT)
    assert set(message) == {"protocol", "job", "start", "stop", "tries", "far", "number"}
    assert unit_of_message(UNIT.kind, UNIT.queue, message) == UNIT
    assert WorkUnit.of(UNIT.lease) == UNIT


def test_a_message_of_a_later_protocol_is_refused() -> None:
    with pytest.raises(VersionSkew, match="install one release on both"):
        unit_of_message(UNIT.kind, UNIT.queue, {**message_of(UNIT), "protocol": PROTOCOL + 1})


def test_a_worker_takes_what_its_device_can_do() -> None:
    assert queues_of("numba") == queues_of("torch") == ("regrow.fit.cpu", "regrow.assemble")
    assert queues_of("cuda") == ("regrow.fit.cuda", "regrow.assemble")


def test_a_worker_that_is_stopping_takes_nothing() -> None:
    queue = _Queue()
    runner, _ = _runner(queue, _raises(AssertionError("must not run")))
    runner.stopping.set()
    with pytest.raises(Reject):
        runner.work(UNIT)
    assert (queue.begun, queue.handed_back) == ([], 1)


def test_only_living_units_are_renewed() -> None:
    renewed: list[list[WorkUnit]] = []

    class _Renewing(_Queue):
        def renew(self, units: list[WorkUnit]) -> list[bool]:
            renewed.append(units)
            return [False] * len(units)

    queue: Any = _Renewing()
    leases = Leases(queue)
    with leases.holding(UNIT) as hold:
        hold.sign_of_life -= 10_000  # hung
        leases.renew()
        assert renewed == []
        hold.touch()
        leases.renew()
        assert renewed == [[UNIT]]
        assert hold.lost
        leases.renew()
        assert len(renewed) == 1, "a unit that is another's now is not asked for again"
    leases.renew()
    assert len(renewed) == 1


def test_speed_rises_at_once_and_falls_slowly() -> None:
    speed = Speed("numba")
    speed.learn(cost=1e6, patch_iterations=100, seconds=1)
    assert speed.cost_in(30) == 3e7
    speed.learn(cost=4e6, patch_iterations=400, seconds=1)
    assert speed.cost_in(1) == 4e6
    speed.learn(cost=1e6, patch_iterations=100, seconds=1)
    assert 3e6 < speed.cost_in(1) < 4e6
    assert speed.iterations_per_second == 100


def test_A3_a_store_found_unfit_while_storing_ends_the_work_and_fails_nothing() -> None:
    queue = _Queue()
    runner, _ = _runner(queue, _raises(UnfitStore("it does no conditional writes")))
    refusals = _watch_refusals(runner)
    with pytest.raises(Reject):
        runner.work(UNIT)
    assert (queue.handed_back, queue.failures) == (1, [])
    assert refusals == ["it does no conditional writes"]


def test_A3_nothing_is_begun_while_the_store_is_unfit() -> None:
    queue = _Queue()
    runner, _ = _runner(queue, lambda hold: None)
    answers: list[Exception | None] = [UnfitStore("unfit"), UnfitStore("unfit"), ServiceUnavailable("away"), None]
    refusals: list[str | None] = []

    def check_fit() -> None:
        refusals.append(runner.refused)
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    runner.blobs.check_fit = check_fit  # type: ignore[method-assign]
    with pytest.raises(Reject):
        runner.work(UNIT)
    assert (queue.begun, queue.handed_back, answers) == ([], 1, [])
    assert (refusals, runner.refused) == ([None, "unfit", "unfit", "unfit"], None)
    answers.append(None)
    runner.work(UNIT)
    assert queue.begun == [UNIT]


def _watch_refusals(runner: UnitRunner) -> list[str | None]:
    """What the runner says when it asks whether the store is fit again."""
    refusals: list[str | None] = []
    runner._looked_at = float("inf")
    runner.blobs.check_fit = lambda: refusals.append(runner.refused)  # type: ignore[method-assign]
    return refusals
