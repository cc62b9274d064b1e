from __future__ import annotations

import pytest

from core.codec.engines import make_engine
from core.codec.engines.base import Rollout
from core.codec.rule import RuleShape
from core.errors import InvalidSettings
from worker.device import patches_per_batch, seconds_per_patch_iteration


def test_a_batch_is_as_long_as_asked() -> None:
    assert patches_per_batch(0.001, 1000, 60.0) == 60
    assert patches_per_batch(1.0, 1000, 60.0) == 1


def test_more_steps_take_longer() -> None:
    engine, shape = make_engine("numba"), RuleShape(8, 8)
    short, long = (seconds_per_patch_iteration(engine, shape, Rollout(steps), 16) for steps in (2, 40))
    assert 0 < short < long


def test_the_engine_is_chosen_by_name_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGROW_ENGINE", "torch")
    assert make_engine().name == "torch"
    assert make_engine("numba").name == "numba"
    monkeypatch.setenv("REGROW_ENGINE", "abacus")
    with pytest.raises(InvalidSettings, match="abacus"):
        make_engine()
    monkeypatch.delenv("REGROW_ENGINE")
    assert make_engine().name in ("numba", "cuda")
