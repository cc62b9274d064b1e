"""One fit's checkpoints: rules that leave early, that gain no more, that diverge."""

from __future__ import annotations

import numpy as np
import pytest

import regrow.core.codec.fit.phase
import regrow.core.codec.fit.tuning
from regrow.core.codec.fit.checkpoint import Checkpoints, FitCheckpoint
from regrow.core.codec.fit.engines.cpu.engine import NumbaEngine
from regrow.core.codec.fit.fitting import Fitted, fit
from regrow.core.codec.fit.task import FitTask
from regrow.core.codec.presets import Schedule
from tests.fits import small_task


def _contents(fitted: Fitted) -> tuple[object, ...]:
    rules = [[(each.rule.symbols.tobytes(), each.rule.scales, each.error) for each in some] for some in fitted.rules]
    return rules, fitted.float_mse.tobytes(), fitted.iterations.tolist()


def _saved(task: FitTask) -> list[FitCheckpoint]:
    saved: list[FitCheckpoint] = []
    fit(NumbaEngine(), task, checkpoints=Checkpoints(due=lambda: True, save=saved.append))
    return saved


def _resumed(task: FitTask, checkpoint: FitCheckpoint) -> tuple[object, ...]:
    return _contents(fit(NumbaEngine(), task, checkpoints=Checkpoints(checkpoint)))


@pytest.fixture
def good_at_24_db(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules are done early, and not all at once."""
    monkeypatch.setattr(regrow.core.codec.fit.phase, "GOOD_ENOUGH_MSE", 10**-2.4)


@pytest.mark.usefixtures("good_at_24_db")
def test_rules_that_have_left_keep_what_they_had() -> None:
    task = small_task(range(6), 300)
    undisturbed, saved = _contents(fit(NumbaEngine(), task)), _saved(task)
    active = [checkpoint.stages["plain"].get("active", np.zeros(6)).sum() for checkpoint in saved]
    assert len(set(active)) > 3, "one after the other they leave"
    for checkpoint in saved[1::3]:
        assert _resumed(task, checkpoint) == undisturbed


def test_patience_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regrow.core.codec.fit.phase, "GAIN", 0.1)
    monkeypatch.setattr(regrow.core.codec.fit.phase, "GOOD_ENOUGH_MSE", 0.0)
    task = small_task([0, 1], 120)
    undisturbed, saved = fit(NumbaEngine(), task), _saved(task)
    assert undisturbed.iterations.min() < 120
    waiting = [checkpoint for checkpoint in saved if checkpoint.running == "plain"]
    assert any(checkpoint.stages["plain"]["gained_at"].min() > 0 for checkpoint in waiting)
    for checkpoint in waiting:
        assert _resumed(task, checkpoint) == _contents(undisturbed)


@pytest.mark.parametrize("rate", [3e-3, 30.0])
def test_tuning_that_diverges_is_dropped_as_ever(rate: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regrow.core.codec.fit.tuning, "TUNING_RATE", rate)
    task = small_task(range(2), schedule=Schedule(20, 10, groups=3, tuning_iterations=12), coarseness=(0.7, 1.2))
    undisturbed, saved = _contents(fit(NumbaEngine(), task)), _saved(task)
    for checkpoint in saved[6:]:
        assert _resumed(task, checkpoint) == undisturbed


@pytest.mark.usefixtures("good_at_24_db")
def test_a_part_of_a_fit_goes_on_alone() -> None:
    """Also where none of its rules is in the batch any more."""
    task = small_task(range(4), 200)
    alone = [_contents(fit(NumbaEngine(), small_task([number], 200))) for number in range(4)]
    for checkpoint in _saved(task)[1::6]:
        for number in range(4):
            part = checkpoint.part(slice(number, number + 1))
            assert _resumed(small_task([number], 200), part) == alone[number]
