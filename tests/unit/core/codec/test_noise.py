from __future__ import annotations

import numpy as np
import pytest
import torch

from regrow.core.codec.fit.noise import UNIFORM_BITS, rule_keys, uniform_bits

pytestmark = pytest.mark.exact


def test_numpy_and_torch_agree_and_the_values_are_pinned() -> None:
    keys, positions = rule_keys([(0, 0), (7, 3)])[:, None], np.arange(4, dtype=np.int64)[None]
    bits = uniform_bits(keys, 12345, positions)
    tensors = uniform_bits(torch.from_numpy(keys), 12345, torch.from_numpy(positions))
    np.testing.assert_array_equal(bits, tensors.numpy())
    assert bits.tolist() == [[6569399, 9544719, 13167116, 15601430], [8346497, 1805409, 475734, 3481952]]


def test_bits_are_uniform_and_differ_by_iteration_and_rule() -> None:
    keys, positions = rule_keys([(0, 0), (0, 1)])[:, None], np.arange(20_000, dtype=np.int64)[None]
    first, second = (uniform_bits(keys, iteration, positions) / 2**UNIFORM_BITS for iteration in (0, 1))
    assert first.min() >= 0
    assert first.max() < 1
    assert abs(first.mean() - 0.5) < 0.01
    assert abs(first.var() - 1 / 12) < 0.002
    for other in (second[0], first[1]):
        assert abs(np.corrcoef(first[0], other)[0, 1]) < 0.03
