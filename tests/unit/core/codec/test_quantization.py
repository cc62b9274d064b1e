from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regrow.core.codec.fit.quantization import integer_rule, one_byte_step_sizes, usual_step_sizes
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape, tensor_slices
from regrow.core.codec.seeds import SeedKind, make_seed

SHAPE = RuleShape(6, 8)
SCALES = st.tuples(*[st.floats(1e-9, 1e3)] * 3)


def drawn(scales: tuple[float, ...]) -> np.ndarray:
    weights = np.random.default_rng(0).normal(size=SHAPE.parameters)
    for part, scale in zip(tensor_slices(SHAPE), scales, strict=True):
        weights[part] *= scale
    return weights.astype(np.float32)


@given(st.tuples(st.floats(0.1, 1), st.floats(0.05, 2), st.floats(0.05, 0.5)), st.floats(1, 4), st.floats(-0.5, 0.5))
def test_steps_are_near_the_usual_ones_and_reach_the_largest_weights(
    scales: tuple[float, ...], level: float, tilt: float
) -> None:
    weights = drawn(scales)
    steps = usual_step_sizes(weights, SHAPE, level, tilt).per_weight(SHAPE)
    assert (np.abs(weights) <= 127.5 * steps).all()
    w1, _, w2 = (float(steps[part][0]) for part in tensor_slices(SHAPE))
    rms1, _, rms2 = (float(np.sqrt(np.mean(weights[part] ** 2))) for part in tensor_slices(SHAPE))
    assert w1 * w2 == pytest.approx(0.16 * 0.072 * level**2 * rms1 * rms2 * 2 ** (tilt * 2 / 3), rel=0.1)


@given(SCALES)
def test_any_weights_get_steps_that_a_bundle_can_say(scales: tuple[float, ...]) -> None:
    weights = drawn(scales)
    for steps in (usual_step_sizes(weights, SHAPE, 1.0), one_byte_step_sizes(weights, SHAPE)):
        assert 0 <= steps.gain <= 255
        assert np.isfinite(steps.per_weight(SHAPE)).all()


def test_one_byte_steps_use_the_whole_byte() -> None:
    weights = drawn((0.4, 0.2, 0.1))
    steps = one_byte_step_sizes(weights, SHAPE)
    largest = [np.abs(weights / steps.per_weight(SHAPE))[part].max() for part in tensor_slices(SHAPE)]
    assert largest[0] == pytest.approx(127)
    assert 60 <= largest[1] <= 127.5
    assert 110 <= largest[2] <= 127.5


@given(SCALES, st.sampled_from(SeedKind), st.floats(0.5, 3))
def test_rules_that_have_run_wild_are_still_rules(scales: tuple[float, ...], kind: SeedKind, level: float) -> None:
    weights = drawn(scales)
    steps = usual_step_sizes(weights, SHAPE, level)
    symbols = np.rint(weights / steps.per_weight(SHAPE)).clip(-127, 127).astype(np.int8)
    assert integer_rule(symbols, steps, SHAPE, make_seed(kind, SHAPE, 9), Rollout(5)).scales.update_shift >= 1


@pytest.mark.parametrize("kind", SeedKind)
@pytest.mark.parametrize("size", [1e-3, 1.0, 30.0])
def test_precision_leaves_room_for_the_states_of_the_growth(kind: SeedKind, size: float) -> None:
    weights = drawn((0.2 * size, 0.1 * size, 0.1))
    steps = usual_step_sizes(weights, SHAPE, 1.0)
    symbols = np.rint(weights / steps.per_weight(SHAPE)).astype(np.int8)
    scales = integer_rule(symbols, steps, SHAPE, make_seed(kind, SHAPE, 12), Rollout(3)).scales
    assert 4 <= scales.precision <= 15
    if size < 1:
        assert scales.precision >= 13, "states stay near the seed, within ±1"
    assert 2.0 ** (scales.bias_shift - scales.precision) == pytest.approx(2.0**steps.bias_octave)
