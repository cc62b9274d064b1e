from __future__ import annotations

import pytest

from core.codec.codec import Work
from core.codec.engines import make_engine
from core.codec.engines.base import Rollout
from core.codec.rule import RuleShape
from core.errors import InvalidSettings
from worker import device
from worker.device import DeviceSpeed, TooSlow

SHAPE = RuleShape(8, 8)


@pytest.fixture
def speed(monkeypatch: pytest.MonkeyPatch) -> DeviceSpeed:
    """A device on which a patch-iteration takes 4 ms alone and 1 ms in company."""
    monkeypatch.setattr(device, "_measure", lambda engine, shape, rollout, count: 0.004 if count == 1 else 0.001)
    return DeviceSpeed(make_engine("numba"))


def test_a_batch_is_as_long_as_asked(speed: DeviceSpeed) -> None:
    assert speed.patches_per_batch([Work(SHAPE, 1000, 0)], Rollout(12), batch_seconds=60, limit=300) == 60
    assert speed.patches_per_batch([Work(SHAPE, 70_000, 0)], Rollout(12), batch_seconds=60, limit=300) == 1


def test_rounding_on_the_cpu_counts_too(speed: DeviceSpeed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.os, "cpu_count", lambda: 4)
    rounding = [Work(SHAPE, 1000, 4 * device.ROUNDING_FLOPS)]
    assert speed.patches_per_batch(rounding, Rollout(12), batch_seconds=60, limit=300) == 30


def test_a_patch_that_outlasts_its_message_is_refused(speed: DeviceSpeed) -> None:
    with pytest.raises(TooSlow, match="one patch would take 400 s"):
        speed.patches_per_batch(
            [Work(SHAPE, 60_000, 0), Work(SHAPE, 40_000, 0)], Rollout(12), batch_seconds=60, limit=300
        )


def test_the_real_measurement_is_kept() -> None:
    speed = DeviceSpeed(make_engine("numba"))
    first = speed._seconds_per_patch_iteration(SHAPE, Rollout(2), 2)
    assert 0 < first < 1
    assert speed._seconds_per_patch_iteration(SHAPE, Rollout(2), 2) == first


def test_the_engine_is_chosen_by_name_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGROW_ENGINE", "torch")
    assert make_engine().name == "torch"
    assert make_engine("numba").name == "numba"
    monkeypatch.setenv("REGROW_ENGINE", "abacus")
    with pytest.raises(InvalidSettings, match="abacus"):
        make_engine()
    monkeypatch.delenv("REGROW_ENGINE")
    assert make_engine().name in ("numba", "cuda")
