"""The CPU engine against the float64 reference engine, and its promises about order, threads and memory."""

from __future__ import annotations

import tracemalloc

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from regrow.core.codec.fire import fire_masks
from regrow.core.codec.fit.engines.base import Array, LossAndGradients, Targets
from regrow.core.codec.fit.engines.cpu.engine import NumbaEngine
from regrow.core.codec.fit.engines.torch.engine import TorchEngine, perceive
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape, tensor_slices

pytestmark = pytest.mark.exact

ENGINE = NumbaEngine()
ORACLE = TorchEngine(dtype=torch.float64)
# Float32 sums are wrong by about 1e-6. Where a hidden unit's input is that close to zero, float32 and float64 may
# disagree on which side of the ReLU's kink it lies, and no gradient is wrong: such cases are not compared.
KINK = 1e-5


class Case:
    """One call's arguments, drawn from a seed."""

    def __init__(self, shape: RuleShape, size: tuple[int, int], count: int, rollout: Rollout, seed: int) -> None:
        rng = np.random.default_rng(seed)
        height, width = size
        self.shape, self.rollout = shape, rollout
        self.weights = rng.normal(size=(count, shape.parameters)).astype(np.float32)
        # Scales at which the states neither explode nor stay where they are.
        w1, b1, w2 = tensor_slices(shape)
        self.weights[:, w1] *= 1.0 / np.sqrt(shape.perceived)
        self.weights[:, b1] *= 0.5
        self.weights[:, w2] *= 0.3 / np.sqrt(shape.hidden)
        self.seeds = rng.normal(scale=0.5, size=(count, shape.channels, height, width)).astype(np.float32)
        extents = np.stack([rng.integers(1, height + 1, count), rng.integers(1, width + 1, count)], axis=1)
        pixels = rng.random((count, shape.visible, height, width)).astype(np.float32)
        self.targets = Targets(pixels, extents.astype(np.int32))

    def run(self, engine: NumbaEngine | TorchEngine, only: slice = slice(None)) -> LossAndGradients:
        targets = Targets(self.targets.pixels[only], self.targets.extents[only])
        weights = self.weights if len(self.weights) == 1 else self.weights[only]
        seeds = self.seeds if len(self.seeds) == 1 else self.seeds[only]
        return engine.loss_and_gradients(self.shape, weights, seeds, targets, self.rollout, seed_gradients=True)

    def distance_from_kinks(self) -> float:
        """The smallest size of a hidden unit's input in a cell that updates, over all steps and rules."""
        w1, b1, w2 = (torch.from_numpy(self.weights[:, part]).double() for part in tensor_slices(self.shape))
        count, (height, width) = len(self.targets.pixels), self.seeds.shape[2:]
        masks = fire_masks(self.rollout.fire_key, self.rollout.steps, height, width, self.rollout.fire_rate)
        state = torch.from_numpy(self.seeds).double().expand(count, -1, -1, -1)
        smallest = np.inf
        for mask in torch.from_numpy(masks).flatten(1):
            inputs = (
                w1.reshape(-1, self.shape.hidden, self.shape.perceived) @ perceive(state).flatten(2) + b1[..., None]
            )
            smallest = min(smallest, inputs[..., mask].abs().min().item() if mask.any() else np.inf)
            update = w2.reshape(-1, self.shape.channels, self.shape.hidden) @ inputs.relu() * mask
            state = state + update.unflatten(2, (height, width))
        return smallest


@st.composite
def cases(draw: st.DrawFn) -> Case:
    visible = draw(st.sampled_from([1, 3, 4]))
    shape = RuleShape(draw(st.integers(visible + 1, 20)), draw(st.integers(1, 36)), visible)
    rollout = Rollout(draw(st.integers(1, 4)), draw(st.sampled_from([0.0, 0.3, 0.5, 1.0])), draw(st.integers(0, 99)))
    size = draw(st.integers(1, 14)), draw(st.integers(1, 14))
    case = Case(shape, size, draw(st.integers(1, 4)), rollout, draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        case.weights = case.weights[:1]
    if draw(st.booleans()):
        case.seeds = case.seeds[:1]
    return case


def relative_errors(found: Array, expected: Array) -> Array:
    """Norm of the difference over the norm of the expected, for each rule."""
    difference = np.linalg.norm((found - expected).reshape(len(found), -1), axis=1)
    errors: Array = difference / (np.linalg.norm(expected.reshape(len(found), -1), axis=1) + 1e-30)
    return errors


def assert_same_bits(found: LossAndGradients, expected: LossAndGradients, only: slice = slice(None)) -> None:
    np.testing.assert_array_equal(found.losses, expected.losses[only])
    np.testing.assert_array_equal(found.weights, expected.weights[only])
    assert found.seeds is not None
    assert expected.seeds is not None
    np.testing.assert_array_equal(found.seeds, expected.seeds[only])


def standard_case(count: int = 5, steps: int = 3, fire_rate: float = 0.5) -> Case:
    return Case(RuleShape(14, 20), (17, 23), count, Rollout(steps, fire_rate, 7), seed=1)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_equals_the_reference_engine(case: Case) -> None:
    found, expected = case.run(ENGINE), case.run(ORACLE)
    assert found.losses.dtype == np.float32
    assert relative_errors(found.losses, expected.losses).max() < 1e-4
    assert found.weights.shape == case.weights.shape
    assert found.weights.dtype == np.float32
    assert found.seeds is not None
    assert expected.seeds is not None
    if case.distance_from_kinks() > KINK:
        assert relative_errors(found.weights, expected.weights).max() < 1e-4
        assert relative_errors(found.seeds, expected.seeds).max() < 1e-4


@pytest.mark.parametrize(("channels", "hidden"), [(14, 20), (16, 32), (64, 200)])
def test_equals_the_reference_engine_at_full_patch_size(channels: int, hidden: int) -> None:
    case = Case(RuleShape(channels, hidden), (40, 40), 2, Rollout(3), seed=5)
    found, expected = case.run(ENGINE), case.run(ORACLE)
    # So many units in so many cells lie near a kink now and then; one of them moves a gradient by less than this.
    assert relative_errors(found.weights, expected.weights).max() < 1e-4
    assert found.seeds is not None
    assert expected.seeds is not None
    assert relative_errors(found.seeds, expected.seeds).max() < 1e-3


def test_most_drawn_cases_are_far_from_kinks() -> None:
    """So that test_equals_the_reference_engine compares gradients at all."""
    drawn = [Case(RuleShape(9, 17), (7, 11), 3, Rollout(3), seed) for seed in range(20)]
    assert sum(case.distance_from_kinks() > KINK for case in drawn) >= 10


def test_a_patch_does_not_depend_on_the_batch() -> None:
    case = standard_case()
    whole = case.run(ENGINE)
    for only in (slice(0, 1), slice(3, 4), slice(1, 5)):
        assert_same_bits(case.run(ENGINE, only), whole, only)


def test_numbers_do_not_depend_on_the_number_of_threads() -> None:
    case = standard_case()
    shared = standard_case()
    shared.weights = shared.weights[:1]
    threads = numba.get_num_threads()
    results = []
    try:
        for count in (1, numba.config.NUMBA_NUM_THREADS):
            numba.set_num_threads(count)
            results.append((case.run(NumbaEngine()), shared.run(NumbaEngine())))
    finally:
        numba.set_num_threads(threads)
    for found, expected in zip(*results, strict=True):
        assert_same_bits(found, expected)


def test_hidden_layers_computed_anew_give_the_same_bits() -> None:
    case = standard_case()
    assert_same_bits(case.run(NumbaEngine(hidden_memory=0)), case.run(ENGINE))


def test_scratch_memory_of_one_call_does_not_leak_into_the_next() -> None:
    first, second = standard_case(fire_rate=0.0), standard_case()
    gradients = second.run(NumbaEngine())
    first.weights[:] = np.nan
    first.run(ENGINE)
    assert_same_bits(second.run(ENGINE), gradients)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_rule_that_is_not_finite_harms_no_neighbour(bad: float) -> None:
    case = standard_case()
    healthy = case.run(ENGINE)
    case.weights[2, :] = bad
    found = case.run(ENGINE)
    assert not np.isfinite(found.losses[2])
    for only in (slice(0, 2), slice(3, 5)):
        np.testing.assert_array_equal(found.losses[only], healthy.losses[only])
        np.testing.assert_array_equal(found.weights[only], healthy.weights[only])


def test_seed_gradients_only_where_asked_for() -> None:
    case = standard_case()
    assert ENGINE.loss_and_gradients(case.shape, case.weights, case.seeds, case.targets, case.rollout).seeds is None


def test_memory_does_not_grow_over_a_thousand_calls() -> None:
    case = Case(RuleShape(5, 4), (6, 6), 2, Rollout(2, 0.5, 1), seed=2)
    engine = NumbaEngine()
    case.run(engine)
    tracemalloc.start()
    try:
        for _ in range(1000):
            case.run(engine)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 100_000
