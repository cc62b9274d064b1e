from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regrow.core.codec.format.entropy_coding import (
    SCALE_CODES,
    best_scale_code,
    bits_of,
    decode_symbols,
    encode_symbols,
    frequencies,
)
from regrow.core.errors import DamagedBundle

pytestmark = pytest.mark.exact


@pytest.mark.parametrize("code", range(SCALE_CODES))
def test_tables_are_whole_symmetric_and_falling(code: int) -> None:
    table = frequencies(code)
    assert table.sum() == 1 << 24
    assert table.min() >= 1
    np.testing.assert_array_equal(table, table[::-1])
    assert (np.diff(table[127:]) <= 0).all()


@pytest.mark.parametrize("code", range(SCALE_CODES))
def test_no_table_hangs_on_the_last_bits_of_a_machines_exponential(code: int) -> None:
    exact = np.exp(-1 / 2 ** ((code - 16) / 8)) * 2**32
    assert abs(exact % 1 - 0.5) > 1e-3


@given(
    sizes=st.tuples(st.integers(0, 300), st.integers(0, 20), st.integers(0, 100)),
    scales=st.tuples(*[st.floats(0.1, 60)] * 3),
    codes=st.tuples(*[st.integers(0, SCALE_CODES - 1)] * 3),
    seed=st.integers(0, 1000),
)
def test_symbols_come_back(
    sizes: tuple[int, ...], scales: tuple[float, ...], codes: tuple[int, ...], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    tensors = [
        np.rint(rng.laplace(0, scale, size)).clip(-127, 127).astype(np.int8)
        for size, scale in zip(sizes, scales, strict=True)
    ]
    data = encode_symbols(tensors, codes)
    np.testing.assert_array_equal(decode_symbols(data, sizes, codes), np.concatenate(tensors))
    bits = sum(bits_of(symbols, code) for symbols, code in zip(tensors, codes, strict=True))
    assert len(data) <= bits / 8 + 8


def test_the_best_model_is_the_cheapest() -> None:
    symbols = np.rint(np.random.default_rng(0).logistic(0, 4, 1000)).clip(-127, 127).astype(np.int8)
    best = best_scale_code(symbols)
    assert bits_of(symbols, best) == min(bits_of(symbols, code) for code in range(SCALE_CODES))
    assert best == pytest.approx(16 + 8 * 2, abs=2), "a scale of 4"


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data + b"\x01", lambda data: data + b"\0"])
def test_data_that_ends_elsewhere_is_refused(damage: object) -> None:
    tensors = [np.arange(-20, 20, dtype=np.int8)] * 3
    data = encode_symbols(tensors, (30, 30, 30))
    with pytest.raises(DamagedBundle):
        decode_symbols(damage(data), (40, 40, 40), (30, 30, 30))  # type: ignore[operator]
