"""Training rules, unrounded."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest

import regrow.core.codec.fit.phase
from regrow.core.codec.encode.plan import rollout_of
from regrow.core.codec.fit.engines import make_engine
from regrow.core.codec.fit.engines.base import Array, LossAndGradients
from regrow.core.codec.fit.engines.cpu.engine import NumbaEngine
from regrow.core.codec.fit.phase import Phase
from regrow.core.codec.fit.stages import Stages
from regrow.core.codec.fit.task import FitHooks, FitProgress, FitTask
from regrow.core.codec.fit.training import Trained, train
from regrow.core.codec.presets import SCHEDULES, Effort, OptimizerName, Schedule
from regrow.core.codec.seeds import SeedKind
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import FitStopped
from tests.fits import small_task


def _train(task: FitTask, hooks: FitHooks) -> Trained:
    engine = make_engine("numba")
    return train(engine, task, Stages(engine, task, hooks))


def test_fitting_lowers_the_error() -> None:
    engine = make_engine("numba")
    assert (train(engine, small_task([1, 2], 150)).mse < 0.2 * train(engine, small_task([1, 2], 1)).mse).all()


@pytest.mark.exact
@pytest.mark.parametrize("name", ["numba", "torch"])
def test_the_same_input_gives_the_same_bytes(name: str) -> None:
    first, second = (train(make_engine(name), small_task([1, 2])) for _ in range(2))
    assert first.weights.tobytes() == second.weights.tobytes()


@pytest.mark.exact
@pytest.mark.parametrize("seed", SeedKind)
@pytest.mark.parametrize("optimizer", OptimizerName)
def test_a_rules_bytes_do_not_depend_on_its_batch(seed: SeedKind, optimizer: OptimizerName) -> None:
    engine, schedule = make_engine("numba"), Schedule(40, 20, optimizer=optimizer)
    alone = [train(engine, small_task([number], seed=seed, schedule=schedule)) for number in range(5)]
    together = train(engine, small_task(range(5), seed=seed, schedule=schedule))
    for number, one in enumerate(alone):
        assert one.weights.tobytes() == together.weights[number : number + 1].tobytes()


@pytest.mark.exact
def test_bytes_do_not_depend_on_the_number_of_threads() -> None:
    before, most, found = numba.get_num_threads(), numba.config.NUMBA_NUM_THREADS, []
    if most == 1:
        pytest.skip("numba has one thread here")
    try:
        for threads in (1, most):
            numba.set_num_threads(threads)
            found.append(train(make_engine("numba"), small_task(range(5), schedule=Schedule(30, 10))).weights.tobytes())
    finally:
        numba.set_num_threads(before)
    assert len(set(found)) == 1


def test_seed_numbers_and_patches_start_differently() -> None:
    task = small_task([1, 1], 5)
    other = replace(task, identities=((0, 1), (1, 1)))
    fitted = train(make_engine("numba"), other)
    assert not np.array_equal(fitted.weights[0], fitted.weights[1])


def test_rules_that_are_good_enough_leave_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regrow.core.codec.fit.phase, "GOOD_ENOUGH_MSE", 10**-2.4)
    sizes: list[int] = []

    class Watched(NumbaEngine):
        def loss_and_gradients(self, shape, weights, *rest, **options) -> LossAndGradients:  # type: ignore[no-untyped-def]
            sizes.append(len(weights))
            return super().loss_and_gradients(shape, weights, *rest, **options)

    fitted = train(Watched(), small_task(range(6), 400))
    assert (10 * np.log10(1 / fitted.mse) >= 24.0).all()
    assert sizes[0] == 6
    assert sizes[-1] < 6
    assert len(sizes) == fitted.iterations.max() < 400
    assert len(set(fitted.iterations)) > 1


def test_a_rule_on_a_plateau_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flat picture cannot gain for ever."""
    monkeypatch.setattr(regrow.core.codec.fit.phase, "GOOD_ENOUGH_MSE", 0.0)
    task = small_task([0], 2000)
    task.targets.pixels[:] = 0.5
    assert train(make_engine("numba"), task).iterations[0] < 2000


class _Sabotaged(NumbaEngine):
    """Ruins one rule's loss and gradient from one call to another."""

    def __init__(self, first: int, last: int, loss: float) -> None:
        super().__init__()
        self.calls, self._first, self._last, self._loss = 0, first, last, loss

    def loss_and_gradients(self, shape, weights: Array, *rest, **options) -> LossAndGradients:  # type: ignore[no-untyped-def]
        result = super().loss_and_gradients(shape, weights, *rest, **options)
        self.calls += 1
        if self._first <= self.calls <= self._last and len(weights) == 3:
            result.losses[1] = self._loss
            result.weights[1] = np.nan
        return result


@pytest.mark.parametrize("loss", [np.nan, np.inf, 100.0])
def test_a_diverging_rule_is_restarted_and_harms_no_neighbour(loss: float) -> None:
    sound = train(make_engine("numba"), small_task([0, 1, 2], 100))
    fitted = train(_Sabotaged(10, 20, loss), small_task([0, 1, 2], 100))
    for number in (0, 2):
        assert fitted.weights[number].tobytes() == sound.weights[number].tobytes()
    assert np.isfinite(fitted.weights).all()
    assert fitted.iterations[1] == 110
    assert fitted.mse[1] < 3 * sound.mse[1]


def test_a_rule_that_diverges_twice_is_kept_at_its_best() -> None:
    class Always(NumbaEngine):
        calls = 0

        def loss_and_gradients(self, *arguments, **options) -> LossAndGradients:  # type: ignore[no-untyped-def]
            result = super().loss_and_gradients(*arguments, **options)
            self.calls += 1
            if self.calls % 8 == 0:
                result.losses[:] = np.nan
            return result

    fitted = train(Always(), small_task([0], 100))
    assert np.isfinite(fitted.mse).all()
    assert np.isfinite(fitted.weights).all()


@pytest.mark.parametrize("call", [5, 6])
def test_all_rules_may_diverge_at_once(call: int) -> None:
    class Once(NumbaEngine):
        calls = 0

        def loss_and_gradients(self, *arguments, **options) -> LossAndGradients:  # type: ignore[no-untyped-def]
            result = super().loss_and_gradients(*arguments, **options)
            self.calls += 1
            if self.calls == call:
                result.losses[:] = np.nan
            return result

    fitted = train(Once(), small_task([0, 1], 20))
    assert fitted.iterations.tolist() == [20 + call] * 2


def test_stop_is_obeyed_at_once() -> None:
    seen: list[FitProgress] = []
    with pytest.raises(FitStopped):
        _train(small_task([1], 1000), FitHooks(should_stop=lambda: len(seen) >= 2, on_progress=seen.append))
    assert len(seen) == 2


def test_rules_nobody_waits_for_leave() -> None:
    looks = iter(range(1000))
    fitted = _train(small_task([0, 1], 50), FitHooks(leaving=lambda: [0] if next(looks) > 3 else []))
    assert fitted.iterations.tolist() == [20, 50]


def test_progress_runs_from_nothing_to_all() -> None:
    seen: list[float] = []
    hooks = FitHooks(on_progress=lambda progress: seen.append(float(progress.share.mean())))
    _train(small_task([1], schedule=Schedule(20, groups=0)), hooks)
    assert seen == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_progress_spans_both_phases() -> None:
    seen: list[float] = []
    hooks = FitHooks(on_progress=lambda progress: seen.append(float(progress.share.mean())))
    _train(small_task([1], schedule=Schedule(10, 10, groups=0)), hooks)
    assert seen == [0.0, 0.25, 0.5, 0.5, 0.75, 1.0]


def test_learning_rate_warms_up_and_decays_to_nothing() -> None:
    phase = Phase(100, learning_rate=1.0, decays=True, noisy=False)
    rates = [phase.rate(iteration) for iteration in range(100)]
    assert rates[0] < 0.11
    assert max(rates) > 0.95
    assert rates[-1] < 0.001
    assert replace(phase, decays=False).rate(99) == 1.0


def test_the_papers_loop_is_the_papers() -> None:
    paper = SCHEDULES[Effort.PAPER]
    assert (paper.iterations, paper.learning_rate, paper.steps) == (40_000, 2e-3, 224)
    assert paper.optimizer is OptimizerName.ADAM
    assert not paper.decays
    settings = EncodeSettings(effort=Effort.PAPER, seed=SeedKind.PIXEL)
    assert rollout_of(settings).steps == 224


def test_the_unrounded_best_is_told_beside_the_noisy_one() -> None:
    plain = train(make_engine("numba"), small_task([0, 1], 60))
    both = train(make_engine("numba"), small_task([0, 1], schedule=Schedule(60, 40)))
    assert both.float_weights.tobytes() == plain.weights.tobytes()
    assert (both.iterations == 100).all()
    assert (both.weights != both.float_weights).any()
