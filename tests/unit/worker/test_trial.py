"""A worker that cannot work takes itself out, and says why."""

from __future__ import annotations

import contextlib
import logging
import threading
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from regrow.core.codec.fit import trial
from regrow.core.codec.fit.engines.cpu.engine import NumbaEngine
from regrow.core.codec.fit.trial import TrialFailed, try_out
from regrow.worker import celery_app
from regrow.worker.__main__ import _stop_early
from regrow.worker.celery_app import Worker
from regrow.worker.tasks import UnitRunner
from regrow.worker.trial import TRIES, CannotWork, prove


def _runner() -> UnitRunner:
    return cast("UnitRunner", SimpleNamespace(refused=None, stopping=threading.Event()))


def test_A1_a_worker_that_cannot_work_takes_itself_out(caplog: pytest.LogCaptureFixture) -> None:
    runner, tries = _runner(), []

    def fails() -> None:
        tries.append(runner.refused)
        raise EOFError("Ran out\nof input")

    with caplog.at_level(logging.ERROR), pytest.raises(CannotWork, match="EOFError: Ran out of input") as raised:
        prove(runner, fails, wait_seconds=0)
    assert len(tries) == TRIES
    assert runner.refused == str(raised.value)
    assert "\n" not in runner.refused
    assert len(caplog.records) == TRIES - 1


def test_A1_a_worker_that_works_after_all_takes_jobs() -> None:
    runner, errors = _runner(), [MemoryError()]

    def fails_once() -> None:
        if errors:
            raise errors.pop()
        assert runner.refused is not None

    prove(runner, fails_once, wait_seconds=0)
    assert runner.refused is None


@pytest.mark.parametrize("error", [None, ValueError("of the compiler")], ids=["passes", "fails"])
def test_A8_a_worker_stopped_while_it_compiles_ends(error: Exception | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the compiler, which called back when the signal came, has swallowed what the handler raised."""

    def swallows(_: object) -> None:
        with contextlib.suppress(SystemExit):
            _stop_early(runner.stopping)
        if error is not None:
            raise error

    monkeypatch.setattr(celery_app, "try_out", swallows)
    runner, beats = _runner(), list[str]()
    heart = SimpleNamespace(start=lambda: beats.append("start"), stop=lambda: beats.append("stop"), doing=None)
    fitter = SimpleNamespace(engine=None)
    # No Celery application, which must not be asked for anything.
    Worker(cast("Any", None), cast("Any", None), cast("Any", heart), runner, cast("Any", fitter), own_engine=True).run()
    assert beats == ["start", "stop"]


def test_A1_the_tiny_fit_succeeds_here() -> None:
    try_out(NumbaEngine())


def test_A1_the_tiny_fit_sees_wrong_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: Any) -> Any:
        return np.zeros((1, 3, 40, 40), dtype=np.uint8)

    monkeypatch.setattr(trial, "fast_grower", lambda: wrong)
    with pytest.raises(TrialFailed, match="other pixels"):
        try_out(NumbaEngine())
