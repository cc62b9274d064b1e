"""Fits of several threads share one batch, and none of them can tell."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from regrow.core.codec.fit.checkpoint import Checkpoints, FitCheckpoint
from regrow.core.codec.fit.engines.base import LossAndGradients
from regrow.core.codec.fit.engines.cpu.engine import NumbaEngine
from regrow.core.codec.fit.fitting import Fitted, fit
from regrow.core.codec.fit.task import FitHooks, FitTask
from regrow.core.codec.presets import Schedule
from regrow.core.errors import FitStopped
from regrow.worker.joint_fit import FitGatherer
from tests.fits import small_task
from tests.services import wait_until


class _Counting(NumbaEngine):
    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.threads: set[int] = set()

    def loss_and_gradients(self, shape, weights, *rest, **options) -> LossAndGradients:  # type: ignore[no-untyped-def]
        self.sizes.append(len(weights))
        self.threads.add(threading.get_ident())
        return super().loss_and_gradients(shape, weights, *rest, **options)


Work = tuple[FitTask, FitHooks] | tuple[FitTask, FitHooks, Checkpoints[FitCheckpoint]]


def _fit_at_once(gatherer: FitGatherer, work: list[Work]) -> list[Fitted | BaseException]:
    results: list[Fitted | BaseException] = [RuntimeError("never ran")] * len(work)

    def run(place: int) -> None:
        try:
            results[place] = gatherer.fit(*work[place])
        except BaseException as error:
            results[place] = error

    # The device is held until all of them wait, so that the test does not depend on who comes first.
    with gatherer.device():
        threads = [threading.Thread(target=run, args=(place,)) for place in range(len(work))]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(gatherer._waiting) == len(work), "all threads' arrival")
    for thread in threads:
        thread.join()
    return results


def _bytes(fitted: Fitted) -> list[bytes]:
    return [rounded.rule.symbols.tobytes() for rules in fitted.rules for rounded in rules]


@pytest.mark.exact
def test_waiting_fits_share_a_batch_and_keep_their_bytes() -> None:
    engine = _Counting()
    tasks = [small_task([0, 1], 30), small_task([2], 30), small_task([3, 4, 5], 30)]
    results = _fit_at_once(FitGatherer(engine), [(task, FitHooks()) for task in tasks])
    assert set(engine.sizes) == {6}
    assert len(engine.threads) == 1
    for task, result in zip(tasks, results, strict=True):
        assert isinstance(result, Fitted)
        assert _bytes(result) == _bytes(fit(NumbaEngine(), task))


def test_different_kinds_do_not_share() -> None:
    engine = _Counting()
    tasks = [
        small_task([0, 1], 20),
        small_task([2], 25),
        small_task([3, 4, 5], schedule=Schedule(20, learning_rate=5e-3)),
    ]
    results = _fit_at_once(FitGatherer(engine), [(task, FitHooks()) for task in tasks])
    assert all(isinstance(result, Fitted) for result in results)
    assert max(engine.sizes) == 3


def test_one_that_stops_leaves_the_others_alone() -> None:
    engine, seen = _Counting(), threading.Event()
    stays, leaves = small_task([0, 1], 60), small_task([2, 3, 4], 60)
    hooks = FitHooks(should_stop=seen.is_set, on_progress=lambda progress: seen.set())
    results = _fit_at_once(FitGatherer(engine), [(stays, FitHooks()), (leaves, hooks)])
    assert isinstance(results[0], Fitted)
    assert _bytes(results[0]) == _bytes(fit(NumbaEngine(), stays))
    assert isinstance(results[1], FitStopped)
    assert engine.sizes[0] == 5
    assert engine.sizes[-1] == 2, "its rules left the batch"


def test_when_all_stop_the_fit_ends() -> None:
    engine, seen = _Counting(), threading.Event()
    hooks = FitHooks(should_stop=seen.is_set, on_progress=lambda progress: seen.set())
    results = _fit_at_once(FitGatherer(engine), [(small_task([number], 10_000), hooks) for number in range(2)])
    assert all(isinstance(result, FitStopped) for result in results)
    assert len(engine.sizes) < 50


def test_trouble_in_one_hook_is_its_owners_alone() -> None:
    def broken(progress: object) -> None:
        raise OSError("the store is away")

    work = [(small_task([0], 20), FitHooks()), (small_task([1], 20), FitHooks(on_progress=broken))]
    results = _fit_at_once(FitGatherer(NumbaEngine()), work)
    assert isinstance(results[0], Fitted)
    assert isinstance(results[1], OSError)


def test_an_error_of_the_engine_reaches_everyone() -> None:
    class Broken(NumbaEngine):
        def loss_and_gradients(self, *arguments, **options) -> LossAndGradients:  # type: ignore[no-untyped-def]
            raise MemoryError("out of memory")

    gatherer = FitGatherer(Broken())
    results = _fit_at_once(gatherer, [(small_task([number], 5), FitHooks()) for number in range(2)])
    assert all(isinstance(result, MemoryError) for result in results)
    with pytest.raises(MemoryError):
        gatherer.fit(small_task([0], 5), FitHooks())


def test_a_waiting_fit_can_be_stopped() -> None:
    gatherer, stop = FitGatherer(NumbaEngine()), threading.Event()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            gatherer.fit(small_task([0], 5), FitHooks(should_stop=stop.is_set))
        except FitStopped as error:
            errors.append(error)

    with gatherer.device():
        thread = threading.Thread(target=run)
        thread.start()
        stop.set()
        thread.join(timeout=10)
    assert len(errors) == 1


GROUPED = Schedule(12, 8, groups=3, tuning_iterations=7)


def _keeping(save: Callable[[FitCheckpoint], None]) -> Checkpoints[FitCheckpoint]:
    return Checkpoints(due=lambda: True, save=save)


def test_a_joint_fits_checkpoints_are_each_requests_own() -> None:
    tasks = [small_task([0, 1], schedule=GROUPED), small_task([2], schedule=GROUPED)]
    alone = [_bytes(fit(NumbaEngine(), task)) for task in tasks]
    saved: list[list[FitCheckpoint]] = [[], []]
    work = [(task, FitHooks(), _keeping(kept.append)) for task, kept in zip(tasks, saved, strict=True)]
    _fit_at_once(FitGatherer(NumbaEngine()), work)
    assert len(saved[0]) == len(saved[1]) > 8
    for checkpoints in list(zip(*saved, strict=True))[::3]:
        engine = _Counting()
        resumed = [
            (task, FitHooks(), Checkpoints(checkpoint)) for task, checkpoint in zip(tasks, checkpoints, strict=True)
        ]
        results = _fit_at_once(FitGatherer(engine), [*resumed, (small_task([3], schedule=GROUPED), FitHooks())])
        assert [_bytes(result) for result in results[:2] if isinstance(result, Fitted)] == alone
        assert max(engine.sizes) <= 2, "whoever goes on goes on alone"


@pytest.mark.parametrize("look", [3, 6, 9])
def test_what_one_has_is_saved_before_it_stops(look: int) -> None:
    stays, leaves = small_task([0, 1], schedule=GROUPED), small_task([2], schedule=GROUPED)
    looks, saved = iter(range(1000)), list[FitCheckpoint]()
    checkpoints = Checkpoints(save=saved.append)
    hooks = FitHooks(should_stop=lambda: next(looks) >= look)
    results = _fit_at_once(FitGatherer(NumbaEngine()), [(stays, FitHooks()), (leaves, hooks, checkpoints)])
    assert isinstance(results[0], Fitted)
    assert isinstance(results[1], FitStopped)
    assert len(saved) == 1
    resumed = fit(NumbaEngine(), leaves, checkpoints=Checkpoints(saved[0]))
    assert _bytes(resumed) == _bytes(fit(NumbaEngine(), leaves))


def test_what_all_have_is_saved_before_they_stop() -> None:
    tasks, saved, seen = [small_task([number], 10_000) for number in range(2)], list[FitCheckpoint](), threading.Event()
    hooks = FitHooks(should_stop=seen.is_set, on_progress=lambda progress: seen.set())
    checkpoints = Checkpoints(save=saved.append)
    results = _fit_at_once(FitGatherer(NumbaEngine()), [(task, hooks, checkpoints) for task in tasks])
    assert all(isinstance(result, FitStopped) for result in results)
    assert [len(checkpoint.stages["plain"]["iteration"]) for checkpoint in saved] == [1, 1]


def test_trouble_in_saving_is_its_owners_alone() -> None:
    def broken(checkpoint: FitCheckpoint) -> None:
        raise OSError("the store is away")

    results = _fit_at_once(
        FitGatherer(NumbaEngine()),
        [(small_task([0], 20), FitHooks()), (small_task([1], 20), FitHooks(), _keeping(broken))],
    )
    assert isinstance(results[0], Fitted)
    assert isinstance(results[1], OSError)
