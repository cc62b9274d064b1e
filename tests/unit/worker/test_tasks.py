"""What each kind of error means for the unit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import Reject

from regrow.core.errors import FitStopped, RegrowError, ServiceUnavailable, UnfitStore, VersionSkew
from regrow.core.jobs.messages import PROTOCOL
from regrow.core.jobs.model import JobFailure
from regrow.core.jobs.queue import Claim
from regrow.core.jobs.work_unit import UnitKind, WorkUnit
from regrow.worker import tasks
from regrow.worker.leases import Hold, Leases
from regrow.worker.speed import Speed
from regrow.worker.tasks import UnitRunner

UNIT = WorkUnit("ab" * 16, UnitKind.FIT, 0, 4, 1)


class _Queue:
    """Hands out so many units, and remembers what became of them."""

    def __init__(self, units: int) -> None:
        self.left = units
        self.handed_back, self.let_go_of = 0, 0
        self.failures: list[JobFailure] = []
        self.down = self.skewed = False

    def claim(self, most_cost: float, workers: int) -> Claim | None:
        if self.skewed:
            raise VersionSkew("install one release on both")
        if self.down:
            raise ServiceUnavailable("Redis cannot be reached")
        self.left -= 1
        return Claim(UNIT, wake=True) if self.left >= 0 else None

    def hand_back(self, unit: WorkUnit) -> bool:
        self.handed_back += 1
        return True

    def let_go(self, unit: WorkUnit) -> None:
        self.let_go_of += 1

    def fail(self, unit: WorkUnit, failure: JobFailure) -> bool:
        self.failures.append(failure)
        return True

    def is_waiting(self) -> bool:
        return False


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "REST_SECONDS", (0.0, 0.0))


def _runner(queue: Any, run: Callable[[Hold], None]) -> tuple[UnitRunner, list[str]]:
    woken: list[str] = []
    blobs: Any = SimpleNamespace(check_fit=lambda: None)
    jobs: Any = SimpleNamespace(wake=lambda: woken.append("wake"))
    return UnitRunner(jobs, blobs, Leases(queue), Speed("numba"), 30.0, threading.Event(), run), woken


def _raises(error: BaseException) -> Callable[[Hold], None]:
    def run(hold: Hold) -> None:
        raise error

    return run


def test_a_message_is_worked_on_until_nothing_is_left() -> None:
    queue, done = _Queue(5), []
    runner, woken = _runner(queue, lambda hold: done.append(hold.unit))
    runner.work(PROTOCOL)
    assert done == [UNIT] * 5
    assert queue.let_go_of == 5
    assert len(woken) == 5
    assert runner.leases.names == []


@pytest.mark.parametrize("error", [ServiceUnavailable("away"), FitStopped("asked to stop")])
def test_outages_and_shutdowns_hand_the_unit_back(error: Exception) -> None:
    queue = _Queue(1)
    runner, _ = _runner(queue, _raises(error))
    runner.work(PROTOCOL)
    assert (queue.handed_back, queue.failures) == (1, [])
    assert runner.leases.names == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [(MemoryError(), "out-of-memory"), (RegrowError("wrong"), "worker-error"), (KeyError("x"), "internal-error")],
)
def test_other_errors_are_failures_with_a_reason(error: Exception, kind: str) -> None:
    queue = _Queue(1)
    runner, _ = _runner(queue, _raises(error))
    runner.work(PROTOCOL)
    assert [failure.type for failure in queue.failures] == [kind]
    assert queue.handed_back == 0


def test_a_dead_redis_is_no_crash() -> None:
    queue = _Queue(1)
    queue.down = True
    runner, _ = _runner(queue, _raises(AssertionError("must not run")))
    runner.work(PROTOCOL)


@pytest.mark.parametrize("skewed", ["message", "queue"])
def test_another_protocol_is_refused_and_the_message_left_for_others(skewed: str) -> None:
    queue = _Queue(1)
    queue.skewed = skewed == "queue"
    runner, _ = _runner(queue, _raises(AssertionError("must not run")))
    with pytest.raises(Reject) as rejected:
        runner.work(PROTOCOL + (skewed == "message"))
    assert rejected.value.requeue
    assert "install one release" in str(runner.refused)


def test_a_message_of_an_earlier_protocol_wakes_and_is_done_with() -> None:
    """Put back, it would come again for ever."""
    queue, done = _Queue(2), []
    runner, _ = _runner(queue, lambda hold: done.append(hold.unit))
    runner.work(PROTOCOL - 1)
    assert (done, runner.refused) == ([UNIT] * 2, None)


def test_a_worker_that_is_stopping_takes_nothing() -> None:
    queue = _Queue(1)
    runner, _ = _runner(queue, _raises(AssertionError("must not run")))
    runner.stopping.set()
    runner.work(PROTOCOL)
    assert queue.left == 1


def test_a_shift_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "SHIFT_SECONDS", -1.0)
    queue, done = _Queue(5), []
    runner, _ = _runner(queue, lambda hold: done.append(hold.unit))
    runner.work(PROTOCOL)
    assert len(done) == 1


def test_only_living_units_are_renewed() -> None:
    renewed: list[list[WorkUnit]] = []

    class _Renewing(_Queue):
        def renew(self, units: list[WorkUnit]) -> list[bool]:
            renewed.append(units)
            return [False] * len(units)

    queue: Any = _Renewing(0)
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
    queue = _Queue(3)
    runner, _ = _runner(queue, _raises(UnfitStore("it does no conditional writes")))
    with pytest.raises(Reject):
        runner.work(PROTOCOL)
    assert (queue.left, queue.handed_back, queue.failures) == (2, 1, [])
    assert runner.refused == "it does no conditional writes"


def test_A3_nothing_is_claimed_while_the_store_is_unfit() -> None:
    queue = _Queue(3)
    runner, _ = _runner(queue, lambda hold: None)

    def unfit() -> None:
        raise UnfitStore("it does no conditional writes")

    good, runner.blobs.check_fit = runner.blobs.check_fit, unfit  # type: ignore[method-assign]
    with pytest.raises(Reject):
        runner.work(PROTOCOL)
    assert queue.left == 3
    runner.blobs.check_fit = good  # type: ignore[method-assign]
    runner.work(PROTOCOL)
    assert (queue.let_go_of, runner.refused) == (3, None)
