"""The fast integer decoders against the numpy reference, bit for bit; and integers against floats, nearly."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from regrow.core.codec.decode.growers import compiled
from regrow.core.codec.decode.growers import layout as layouts
from regrow.core.codec.fire import fire_masks
from regrow.core.codec.fit.engines.torch.engine import grow as grow_floats
from regrow.core.codec.format.fixed_point import IntegerRule, Integers, Scales, grow, integer_seed, visible_pixels
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape, tensor_slices
from regrow.core.codec.seeds import SeedKind
from tests.format import torch_grower

pytestmark = pytest.mark.exact

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()
STATES: list[Callable[..., Integers]] = [
    compiled.grow_states,
    partial(compiled.grow_states, portable=True),
    *(partial(torch_grower.grow_states, device=device) for device in DEVICES),
]
PIXELS: list[Callable[..., np.ndarray]] = [
    compiled.grow_batch,
    partial(compiled.grow_batch, portable=True),
    *(partial(torch_grower.grow_batch, device=device) for device in DEVICES),
]


@st.composite
def scales(draw: st.DrawFn) -> Scales:
    """Any that are valid; many at the ends of the ranges, many as trained rules have them."""
    precision = draw(st.sampled_from([4, 15]) | st.integers(4, 15) | st.integers(10, 13))
    hidden_shift = draw(st.sampled_from([0, 15]) | st.integers(0, 15) | st.integers(0, 5))
    bias_shift = draw(st.sampled_from([0, 23]) | st.integers(0, 23) | st.integers(8, 14))
    least = 8 * max(0, hidden_shift - precision + 2)  # for an update shift of at least 1
    gain = draw(st.sampled_from([least, 255]) | st.integers(least, 255) | st.integers(120, 150))
    return Scales(gain, precision, bias_shift, hidden_shift)


class Case:
    """One call's arguments, drawn from a seed; `loudness` is the limit of the symbols."""

    def __init__(
        self,
        shape: RuleShape,
        size: tuple[int, int],
        rollout: Rollout,
        scales: list[Scales],
        loudness: int,
        rng: np.random.Generator,
    ) -> None:
        self.shape, self.rollout = shape, rollout
        symbols = rng.integers(-loudness, loudness + 1, (len(scales), shape.parameters)).astype(np.int8)
        if loudness == 127:
            symbols[rng.random(symbols.shape) < 0.5] = rng.choice([-127, 127])
        self.rules = [IntegerRule(row, scale) for row, scale in zip(symbols, scales, strict=True)]
        limit = 1 << int(rng.integers(12, 31))
        self.seed = rng.integers(-limit, limit + 1, (shape.channels, *size)).astype(np.int32)

    def expected(self) -> Integers:
        return np.stack([grow(self.shape, rule, self.seed, self.rollout) for rule in self.rules])

    def run(self, engine: Callable[..., np.ndarray], **options: object) -> np.ndarray:
        return engine(self.shape, self.rules, self.seed, self.rollout, **options)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    visible = draw(st.sampled_from([1, 3, 4]))
    shape = RuleShape(draw(st.integers(max(4, visible + 1), 20)), draw(st.integers(1, 50)), visible)
    rate = draw(st.sampled_from([0.0, 0.0, 0.3, 0.5, 1.0]))
    rollout = Rollout(draw(st.integers(1, 14)), rate, draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(1, 45)), draw(st.integers(1, 45))
    numbers = draw(st.lists(scales(), min_size=1, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return Case(shape, size, rollout, numbers, draw(st.sampled_from([1, 30, 127])), rng)


def small_case(count: int) -> Case:
    rng = np.random.default_rng(3)
    numbers = [Scales(130 + i % 9, 12, 10 + i % 3, 2 + i % 2) for i in range(count)]
    return Case(RuleShape(7, 9), (11, 14), Rollout(5, 0.5, 7), numbers, 60, rng)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_equal_the_reference_to_the_last_bit(case: Case) -> None:
    expected = case.expected()
    for states in STATES:
        found = case.run(states)
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, expected)
    for pixels in PIXELS:
        found = case.run(pixels)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, visible_pixels(expected[:, : case.shape.visible]))


@pytest.mark.parametrize(("channels", "hidden"), [(14, 20), (16, 32), (16, 40), (64, 255)])
def test_equal_the_reference_at_full_patch_size(channels: int, hidden: int) -> None:
    numbers = [Scales(136, 12, 12, 3), Scales(255, 15, 23, 0)]
    case = Case(RuleShape(channels, hidden), (40, 40), Rollout(2), numbers, 127, np.random.default_rng(9))
    expected = case.expected()
    for states in STATES:
        np.testing.assert_array_equal(case.run(states), expected)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("state", [-(2**30), 2**30])
def test_the_largest_sums_do_not_overflow(sign: int, state: int) -> None:
    shape = RuleShape(64, 255, 1)
    symbols = np.full(shape.parameters, 127 * sign, dtype=np.int8)
    symbols[tensor_slices(shape)[2]] = 127
    seed = np.full((64, 5, 3), state, dtype=np.int32)
    rule = IntegerRule(symbols, Scales(0, 15, 23, 0))
    expected = grow(shape, rule, seed, Rollout(3))
    for states in STATES:
        np.testing.assert_array_equal(states(shape, [rule], seed, Rollout(3))[0], expected)


@pytest.mark.parametrize("states", STATES)
def test_a_rule_does_not_depend_on_the_batch(states: Callable[..., Integers]) -> None:
    case = small_case(19)
    np.testing.assert_array_equal(case.run(states), case.expected())
    case.rules = case.rules[4:5]
    np.testing.assert_array_equal(case.run(states), case.expected())


@pytest.mark.parametrize("grown", STATES + PIXELS)
def test_no_rules_grow_nothing(grown: Callable[..., np.ndarray]) -> None:
    assert small_case(0).run(grown).shape[0] == 0


def test_threads_change_nothing_and_calls_may_come_from_several() -> None:
    case = small_case(40)
    expected = case.run(compiled.grow_batch, threads=1)
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(case.run, compiled.grow_batch, threads=threads) for threads in (None, 2, 5)]
    for run in runs:
        np.testing.assert_array_equal(run.result(), expected)


def test_torch_works_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_grower, "_CHUNK", 2)
    case = small_case(5)
    np.testing.assert_array_equal(case.run(torch_grower.grow_states), case.expected())


@pytest.mark.parametrize("states", STATES)
def test_rules_of_another_shape_are_refused(states: Callable[..., Integers]) -> None:
    case = small_case(1)
    case.shape = RuleShape(7, 8)
    with pytest.raises(ValueError, match="symbols"):
        case.run(states)


def test_planes_come_back_as_they_went_in() -> None:
    layout = layouts.plan(RuleShape(5, 3), 4, 6)
    state = np.random.default_rng(0).integers(-(2**30), 2**30, (5, 4, 6)).astype(np.int32)
    planes = layouts.planes_of(layout, state)
    assert np.count_nonzero(planes) == state.size
    np.testing.assert_array_equal(layouts.cells_of(layout, planes[None])[0], state)


@pytest.mark.parametrize("fire_rate", [0.0, 0.5])
def test_integers_follow_the_floats_of_training(fire_rate: float) -> None:
    """Weights as the symbols mean them grow the same picture in float32, but for rounding."""
    shape, rollout = RuleShape(14, 20), Rollout(12, fire_rate, 3)
    rng = np.random.default_rng(4)
    numbers = Scales(gain=136, precision=12, bias_shift=11, hidden_shift=7)
    w1, b1, w2 = tensor_slices(shape)
    symbols = np.rint(rng.normal(scale=30, size=shape.parameters).clip(-127, 127)).astype(np.int8)
    # How the gain divides between W1 and W2 does not matter: the ReLU between them is linear in its scale.
    step_1, step_2 = 2.0**-8, 2.0 ** (-136 / 8 + 8)
    weights = np.zeros(shape.parameters)
    weights[w1], weights[w2] = symbols[w1] * step_1, symbols[w2] * step_2
    weights[b1] = symbols[b1] * step_1 * 2.0 ** (11 - 12)
    seed = integer_seed(SeedKind.SCAFFOLD, shape, 40)
    masks = fire_masks(rollout.fire_key, rollout.steps, 40, 40, fire_rate) if fire_rate else None
    floats = grow_floats(
        shape,
        torch.tensor(weights[None], dtype=torch.float32),
        torch.tensor(seed[None] / 65536, dtype=torch.float32),
        None if masks is None else torch.tensor(masks, dtype=torch.float32),
        rollout.steps,
    )[0].numpy()
    states = compiled.grow_states(shape, [IntegerRule(symbols, numbers)], seed, rollout)[0]
    assert np.abs(floats - seed / 65536).max() > 0.3
    assert np.abs(floats).max() < 8  # beyond, perception would be clamped
    assert np.sqrt(np.square(states / 65536 - floats).mean()) < 2e-4
    assert np.abs(states / 65536 - floats).max() < 1e-3
