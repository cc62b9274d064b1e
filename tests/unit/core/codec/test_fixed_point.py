"""The integer arithmetic: its ranges, its seeds, a rollout written out cell by cell, and what it approximates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regrow.core.codec.fire import fire_mask
from regrow.core.codec.format.fixed_point import (
    MANTISSAS,
    IntegerRule,
    Scales,
    grow,
    integer_seed,
    stacked_symbols,
    visible_pixels,
)
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.seeds import SeedKind, make_seed, scaffold_waves
from regrow.core.errors import DamagedBundle

pytestmark = pytest.mark.exact

SCALES = Scales(gain=136, precision=12, bias_shift=12, hidden_shift=3)


def plain_growth(shape: RuleShape, rule: IntegerRule, seed: list, rollout: Rollout) -> list:
    """docs/FORMAT.md in Python's integers, one cell at a time."""
    size, scales = len(seed[0]), rule.scales
    symbols = [int(symbol) for symbol in rule.symbols]
    perceived, hidden = shape.perceived, shape.hidden
    w1 = [symbols[j * perceived : (j + 1) * perceived] for j in range(hidden)]
    b1 = symbols[hidden * perceived : hidden * (perceived + 1)]
    w2 = [symbols[hidden * (perceived + 1 + c) : hidden * (perceived + 2 + c)] for c in range(shape.channels)]
    octave, eighth = divmod(-scales.gain, 8)
    mantissa = round(2 ** (15 + eighth / 8))
    n = scales.precision - scales.hidden_shift - 1 - octave
    drop = 16 - scales.precision
    state = [[list(row) for row in plane] for plane in seed]
    for step in range(rollout.steps):
        fires = fire_mask(rollout.fire_key, step, size, size, rollout.fire_rate)
        codes = [
            [[max(-32767, min(32767, (s + 2 ** (drop - 1)) >> drop)) for s in row] for row in plane] for plane in state
        ]

        def code(c: int, y: int, x: int, codes: list = codes) -> int:
            return codes[c][y][x] if 0 <= y < size and 0 <= x < size else 0

        kernel = [(-1, -1, -1), (-1, 1, 1), (0, -1, -2), (0, 1, 2), (1, -1, -1), (1, 1, 1)]
        for y, x in np.argwhere(fires).tolist():
            z = [codes[c][y][x] for c in range(shape.channels)]
            z += [(sum(k * code(c, y + a, x + b) for a, b, k in kernel) + 4) >> 3 for c in range(shape.channels)]
            z += [(sum(k * code(c, y + b, x + a) for a, b, k in kernel) + 4) >> 3 for c in range(shape.channels)]
            a = [
                (b1[j] << scales.bias_shift) + sum(w * value for w, value in zip(w1[j], z, strict=True))
                for j in range(hidden)
            ]
            h = [min((max(value, 0) + (2**scales.hidden_shift >> 1)) >> scales.hidden_shift, 32767) for value in a]
            d = [sum(w * value for w, value in zip(w2[c], h, strict=True)) for c in range(shape.channels)]
            assert max(map(abs, a + d)) < 2**31
            for c in range(shape.channels):
                update = (d[c] * mantissa + 2 ** (n - 1)) >> n
                state[c][y][x] = max(-(2**30), min(2**30, state[c][y][x] + update))
    return state


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_grows_as_specified(data: st.DataObject) -> None:
    visible = data.draw(st.sampled_from([1, 3, 4]))
    shape = RuleShape(data.draw(st.integers(visible + 1, 7)), data.draw(st.integers(1, 6)), visible)
    rollout = Rollout(data.draw(st.integers(1, 3)), data.draw(st.sampled_from([0.0, 0.5])), 5)
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    scales = Scales(*data.draw(st.sampled_from([(136, 12, 12, 3), (255, 15, 23, 0), (0, 15, 0, 13), (90, 4, 7, 6)])))
    rule = IntegerRule(rng.integers(-127, 128, shape.parameters).astype(np.int8), scales)
    size = data.draw(st.integers(1, 5))
    limit = 2 ** data.draw(st.integers(10, 30))
    seed = rng.integers(-limit, limit + 1, (shape.channels, size, size)).astype(np.int32)
    grown = grow(shape, rule, seed, rollout)
    assert grown.dtype == np.int32
    assert grown.tolist() == plain_growth(shape, rule, seed.tolist(), rollout)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_sums_fit_32_bits(sign: int) -> None:
    """As the fast engines count on; plain_growth asserts it."""
    shape = RuleShape(64, 255)
    rule = IntegerRule(np.full(shape.parameters, 127 * sign, dtype=np.int8), Scales(255, 15, 23, 0))
    seed = np.full((64, 2, 2), 2**30 * sign)
    assert grow(shape, rule, seed.astype(np.int32), Rollout(1)).tolist() == plain_growth(
        shape, rule, seed.tolist(), Rollout(1)
    )


def test_growth_can_stop_early() -> None:
    shape = RuleShape(6, 5)
    rule = IntegerRule(np.random.default_rng(1).integers(-50, 51, shape.parameters).astype(np.int8), SCALES)
    seed = integer_seed(SeedKind.SCAFFOLD, shape, 9)
    np.testing.assert_array_equal(grow(shape, rule, seed, Rollout(4), steps=0), seed)
    np.testing.assert_array_equal(grow(shape, rule, seed, Rollout(4), steps=2), grow(shape, rule, seed, Rollout(2)))


def test_mantissas_are_the_eighths_of_an_octave() -> None:
    assert list(MANTISSAS) == [round(2 ** (15 + i / 8)) for i in range(8)]
    for gain in range(64, 256):
        scales = Scales(gain, precision=12, bias_shift=0, hidden_shift=3)
        # An update counts 2 ** (-g / 8) · 2 ** (r - p) for each unit of d, in states' units of 2 ** -16.
        factor = scales.mantissa * 2.0**-scales.update_shift
        assert factor == pytest.approx(2.0 ** (-gain / 8 + 3 - 12 + 16), rel=1e-4)


@pytest.mark.parametrize(
    ("numbers", "word"),
    [
        ((256, 12, 0, 0), "gain"),
        ((-1, 12, 0, 0), "gain"),
        ((100, 3, 0, 0), "precision"),
        ((100, 16, 0, 0), "precision"),
        ((100, 12, 24, 0), "bias shift"),
        ((100, 12, -1, 0), "bias shift"),
        ((100, 12, 0, 16), "hidden shift"),
        ((100, 12, 0, -1), "hidden shift"),
        ((0, 4, 0, 3), "update shift of 0"),
        ((0, 4, 0, 15), "update shift of -12"),
    ],
)
def test_numbers_out_of_range_are_refused(numbers: tuple[int, int, int, int], word: str) -> None:
    with pytest.raises(DamagedBundle, match=word):
        Scales(*numbers)


def test_update_shifts_reach_from_1_to_46() -> None:
    assert Scales(0, 4, 0, 2).update_shift == 1
    assert Scales(255, 15, 0, 0).update_shift == 46


def test_symbols_out_of_range_are_refused() -> None:
    with pytest.raises(DamagedBundle, match="-128"):
        IntegerRule(np.array([0, -128], dtype=np.int8), SCALES)
    with pytest.raises(ValueError, match="int8"):
        IntegerRule(np.zeros(3), SCALES)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="symbols"):
        stacked_symbols(RuleShape(6, 5), [IntegerRule(np.zeros(3, dtype=np.int8), SCALES)])


@pytest.mark.parametrize("kind", list(SeedKind))
@pytest.mark.parametrize("size", [1, 2, 7, 40, 255])
def test_seeds_are_those_of_training(kind: SeedKind, size: int) -> None:
    shape = RuleShape(20, 5)
    seed = integer_seed(kind, shape, size)
    assert seed.dtype == np.int32
    assert np.abs(seed - make_seed(kind, shape, size) * 65536.0).max() < 0.51


def test_no_seed_is_near_a_rounding_tie() -> None:
    """So that the last bits of a machine's sine do not matter."""
    for size in range(1, 256):
        places = scaffold_waves(size) * 65536 + 0.5
        assert np.abs(places - np.rint(places)).min() > 1e-5


def test_pixels() -> None:
    states = np.array([-(2**30), -32769, -32768, -32640, -32639, 0, 32639, 32767, 32768, 2**30], dtype=np.int32)
    assert visible_pixels(states).tolist() == [0, 0, 0, 0, 1, 128, 254, 255, 255, 255]
    assert visible_pixels(states).dtype == np.uint8
    levels = np.arange(-32768, 32769)
    expected = np.floor((levels + 32768) / 65536 * 255 + 0.5)
    np.testing.assert_array_equal(visible_pixels(levels.astype(np.int32)), expected)
