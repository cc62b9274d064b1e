from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest
from skimage import data

from regrow.core.codec.coder import Coder
from regrow.core.codec.decode import decode
from regrow.core.codec.encode.assemble import assemble
from regrow.core.codec.encode.patch_fits import candidates_of, fit_task
from regrow.core.codec.encode.plan import rollout_of
from regrow.core.codec.fit.engines import make_engine
from regrow.core.codec.fit.engines.cpu.engine import NumbaEngine
from regrow.core.codec.fit.fitting import Fitted, fit
from regrow.core.codec.fit.nearest_plane import nearest_plane
from regrow.core.codec.fit.rounding import round_rules
from regrow.core.codec.fit.stages import Stages
from regrow.core.codec.fit.task import FitHooks, FitProgress, FitTask
from regrow.core.codec.fit.training import train
from regrow.core.codec.format.entropy_coding import best_scale_code, bits_of
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Effort, Preset, Schedule
from regrow.core.codec.quality import measure, squared_error
from regrow.core.codec.seeds import SeedKind
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import FitStopped
from tests.fits import small_task
from tests.pictures import smooth_picture

GROUPED = Schedule(60, 20, groups=3, tuning_iterations=10)


def _quadratic(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A curvature whose directions differ a lot, and values to round."""
    rng = np.random.default_rng(seed)
    directions, _ = np.linalg.qr(rng.normal(size=(n, n)))
    return (directions * np.geomspace(1, 1e-4, n)) @ directions.T, rng.normal(0, 5, n)


def _cost(curvature: np.ndarray, error: np.ndarray) -> float:
    return float(error @ curvature @ error)


def test_nearest_plane_beats_rounding_to_nearest() -> None:
    ratios = []
    for seed in range(10):
        curvature, values = _quadratic(40, seed)
        rounded = nearest_plane(np.linalg.cholesky(curvature), values, 40, 127)
        assert (rounded == np.rint(rounded)).all()
        ratios.append(_cost(curvature, rounded - values) / _cost(curvature, np.rint(values) - values))
    assert np.mean(ratios) < 0.5


def test_what_is_still_free_makes_up_for_the_errors_as_well_as_can_be() -> None:
    curvature, values = _quadratic(12, 3)
    moved = nearest_plane(np.linalg.cholesky(curvature), values, 5, 127)
    assert (moved[-5:] == np.rint(moved[-5:])).all()
    error = moved - values
    # At the minimum over the free ones, the gradient by them is zero.
    np.testing.assert_allclose((curvature @ error)[:-5], 0, atol=1e-9)


def test_symbols_stay_within_the_limit() -> None:
    curvature, values = _quadratic(12, 4)
    assert np.abs(nearest_plane(np.linalg.cholesky(curvature), 30 * values, 12, 20)).max() <= 20


def _symbols(fitted: Fitted) -> list[list[bytes]]:
    return [[rounded.rule.symbols.tobytes() for rounded in rules] for rules in fitted.rules]


@pytest.mark.exact
def test_rules_do_not_depend_on_their_batch_nor_on_threads() -> None:
    engine, before = make_engine("numba"), numba.get_num_threads()
    together = _symbols(fit(engine, small_task(range(3), schedule=GROUPED, coarseness=(1.0, 2.0))))
    try:
        numba.set_num_threads(1)
        for number in range(3):
            alone = fit(engine, small_task([number], schedule=GROUPED, coarseness=(1.0, 2.0)))
            assert _symbols(alone) == together[number : number + 1]
    finally:
        numba.set_num_threads(before)


def _photo_task(schedule: Schedule) -> FitTask:
    picture = Picture(data.astronaut()[100:140, 200:240])
    return replace(fit_task(picture, [0], EncodeSettings(), Preset.TINY), schedule=schedule)


def _error(task: FitTask, weights: np.ndarray) -> int:
    engine = make_engine("numba")
    (rules,) = round_rules(engine, task, weights, Stages(engine, task))
    return rules[0].error


def test_rounding_with_the_curvature_loses_far_less_than_rounding_to_nearest() -> None:
    task = replace(_photo_task(Schedule(300, 200, groups=1)), coarseness=(1.5,))
    weights = train(make_engine("numba"), task).weights
    nearest = _error(replace(task, schedule=replace(task.schedule, groups=0)), weights)
    at_once = _error(task, weights)
    grouped = _error(replace(task, schedule=replace(task.schedule, groups=4, tuning_iterations=50)), weights)
    assert at_once < 0.7 * nearest
    assert grouped < 0.95 * at_once


def test_a_rule_without_a_sound_curvature_is_rounded_to_nearest() -> None:
    class Wild(NumbaEngine):
        def curvature(self, shape, weights, seed, extent, rollout, chosen) -> np.ndarray:  # type: ignore[no-untyped-def]
            return np.full((len(chosen), len(chosen)), np.nan, dtype=np.float32)

    task = small_task([0], schedule=GROUPED)
    weights = train(make_engine("numba"), task).weights
    (rules,) = round_rules(Wild(), task, weights, Stages(Wild(), task))
    assert np.isfinite(rules[0].error)
    assert (rules[0].rule.symbols != 0).any()


def test_zero_weights_and_single_pixels_are_rounded() -> None:
    task = small_task([0, 1, 2], schedule=GROUPED)
    task.targets.extents[:] = [[1, 1], [1, 12], [12, 3]]
    engine = make_engine("numba")
    trained = train(engine, task).weights
    for weights in (trained, np.zeros_like(trained)):
        rules = round_rules(engine, task, weights, Stages(engine, task))
        assert all(0 <= rounded.error < 255**2 * 36 * 3 for (rounded,) in rules)


def test_coarser_levels_cost_fewer_bits() -> None:
    fitted = fit(make_engine("numba"), small_task([0], schedule=GROUPED, coarseness=(0.7, 1.4, 2.8)))
    bits = [bits_of(each.rule.symbols, best_scale_code(each.rule.symbols)) for each in fitted.rules[0]]
    assert bits[0] > bits[1] > bits[2]
    assert fitted.iterations[0] == 80 + 3 * 2 * 10


def test_one_byte_rules_use_the_byte() -> None:
    fitted = fit(make_engine("numba"), small_task([0], schedule=GROUPED, one_byte=True))
    assert 90 <= np.abs(fitted.rules[0][0].rule.symbols.astype(int)).max() <= 127


def test_a_stop_between_groups_is_obeyed() -> None:
    seen: list[FitProgress] = []
    task = small_task([0, 1], schedule=GROUPED)
    trained = 80 / GROUPED.work(task.shape)
    hooks = FitHooks(should_stop=lambda: bool(seen) and seen[-1].share[0] > trained, on_progress=seen.append)
    with pytest.raises(FitStopped):
        fit(make_engine("numba"), task, hooks)


def test_progress_rises_to_all() -> None:
    seen: list[float] = []
    hooks = FitHooks(on_progress=lambda progress: seen.append(float(progress.share.mean())))
    fit(make_engine("numba"), small_task([0], schedule=GROUPED, coarseness=(1.0, 2.0)), hooks)
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[-1] == 1


@pytest.mark.parametrize(
    ("channels", "seed", "coder", "fire_rate"),
    [
        (1, SeedKind.SCAFFOLD, Coder.ANS, 0.0),
        (3, SeedKind.SCAFFOLD, Coder.BYTES, 0.0),
        (4, SeedKind.SCAFFOLD, Coder.ANS, 0.5),
        (3, SeedKind.PIXEL, Coder.ANS, 0.0),
    ],
)
def test_the_pipeline_reports_what_the_decoder_makes_of_the_file(
    channels: int, seed: SeedKind, coder: Coder, fire_rate: float
) -> None:
    settings = EncodeSettings(Preset.TINY, seed=seed, coder=coder, fire_rate=fire_rate)
    picture = smooth_picture(41, 20, channels)
    task = replace(fit_task(picture, [0, 1], settings, settings.preset), schedule=Schedule(5, 2))
    candidates = candidates_of(task, fit(make_engine("numba"), task), settings)
    encoded = assemble(picture, settings, candidates)
    regrown = decode(encoded.bundle).picture
    assert encoded.quality == measure(picture.pixels, regrown.pixels)
    errors = squared_error(picture.pixels, regrown.pixels)
    assert errors == sum(some[0].error for some in candidates), "the fit measured the same pixels"
    assert encoded.presets == {"tiny": 2}
    assert encoded.target_met is None


def test_integer_arithmetic_costs_at_most_a_tenth_of_a_decibel() -> None:
    """The rounded weights, grown in floats by the training engine, against the stored file."""
    picture, settings = Picture(data.astronaut()[100:140, 200:240]), EncodeSettings(effort=Effort.DRAFT)
    task = fit_task(picture, [0], settings, Preset.SMALL)
    engine = make_engine("numba")
    rounded = fit(engine, task).rules[0][0]
    scales, shape = rounded.rule.scales, task.shape
    steps = np.repeat(
        [1.0, 2.0 ** (scales.bias_shift - scales.precision), 2.0 ** (-scales.gain / 8)],
        [shape.hidden * shape.perceived, shape.hidden, shape.hidden * shape.channels],
    )
    weights = (rounded.rule.symbols * steps).astype(np.float32)[None]
    in_floats = engine.loss_and_gradients(shape, weights, task.state[None], task.targets, rollout_of(settings)).losses
    in_integers = rounded.error / (255**2 * picture.pixels.size)
    assert 10 * np.log10(in_integers / in_floats[0]) < 0.1


def test_E6_progress_moves_through_all_phases() -> None:
    """Rule by rule while they are rounded, too, and never back."""
    task = replace(small_task([0, 1, 2, 3], 10), schedule=Schedule(4, 4, groups=2, tuning_iterations=1))
    told: list[tuple[str, float]] = []
    hooks = FitHooks(on_progress=lambda progress: told.append((progress.phase, float(progress.share.mean()))))
    fit(make_engine("numba"), task, hooks)
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert [phase for phase, _ in told] == sorted((phase for phase, _ in told), reverse=True)
    assert len({share for phase, share in told if phase == "rounding"}) == 8
    assert shares[-1] == pytest.approx(1)
