from __future__ import annotations

import time

import numpy as np
import pytest

from core.codec.codec import assemble, fit_patches
from core.codec.engines import make_engine
from core.codec.engines.base import Rollout, Targets
from core.codec.fit import FitHooks, FitProgress, fit, learning_rate
from core.codec.presets import Schedule
from core.codec.rule import RuleShape
from core.codec.seeds import SeedKind, make_seed
from core.codec.settings import EncodeSettings
from core.errors import FitStopped
from tests.pictures import smooth_picture

SHAPE = RuleShape(8, 8)
SIZE = 12


def _fit(picture_seeds: list[int], iterations: int = 60, hooks: FitHooks | None = None):
    pixels = [
        smooth_picture(SIZE, SIZE, seed=seed).pixels.transpose(2, 0, 1) / np.float32(255) for seed in picture_seeds
    ]
    targets = Targets(np.stack(pixels), np.full((len(pixels), 2), SIZE, dtype=np.int32))
    rngs = [np.random.default_rng((0, seed)) for seed in picture_seeds]
    seed = make_seed(SeedKind.PIXEL, SHAPE, SIZE)
    return fit(make_engine(), SHAPE, seed, targets, Rollout(12), Schedule(iterations), rngs, hooks)


def test_fitting_lowers_the_error() -> None:
    assert (_fit([1, 2], 150).mse < 0.5 * _fit([1, 2], 1).mse).all()


def test_the_same_input_gives_the_same_bytes() -> None:
    assert _fit([1, 2]).weights.tobytes() == _fit([1, 2]).weights.tobytes()


def test_stop_is_obeyed_at_once() -> None:
    seen: list[FitProgress] = []
    with pytest.raises(FitStopped):
        _fit([1], 1000, FitHooks(should_stop=lambda: len(seen) >= 2, on_progress=seen.append, every=1))
    assert len(seen) == 2


def test_a_deadline_ends_the_fit_with_the_best_so_far() -> None:
    fitted = _fit([1], 10_000, FitHooks(deadline=time.monotonic() + 0.3))
    assert 0 < fitted.iterations < 10_000
    assert np.isfinite(fitted.mse).all()


def test_progress_runs_from_nothing_to_all() -> None:
    seen: list[float] = []
    _fit([1], 20, FitHooks(on_progress=lambda progress: seen.append(progress.share)))
    assert seen == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_learning_rate_warms_up_and_decays_to_nothing() -> None:
    schedule = Schedule(100, learning_rate=1.0)
    rates = [learning_rate(schedule, iteration) for iteration in range(100)]
    assert rates[0] < 0.11
    assert max(rates) > 0.95
    assert rates[-1] < 0.001


def test_the_pipeline_reports_what_the_decoder_makes_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.codec import codec
    from core.codec.decoder import decode
    from core.codec.metrics import measure

    monkeypatch.setitem(codec.SCHEDULES, EncodeSettings().effort, Schedule(5))
    picture = smooth_picture(41, 20)
    fitted = fit_patches(make_engine(), picture, [0, 1], EncodeSettings())
    bundle, quality = assemble(picture, EncodeSettings(), fitted.payloads)
    assert quality == measure(picture.pixels, decode(bundle).pixels)
