from __future__ import annotations

import numpy as np

from core.codec.quantization import dequantize, quantize, steps_per_weight
from core.codec.rule import RuleShape


def test_weights_come_back_within_half_a_step() -> None:
    shape = RuleShape(6, 8)
    weights = np.random.default_rng(0).normal(0, 0.3, (3, shape.parameters)).astype(np.float32)
    rules = quantize(weights, shape)
    error = np.abs(dequantize(rules, shape) - weights)
    assert (error <= steps_per_weight(rules.step_codes, shape) * 0.5001).all()
    assert np.abs(rules.symbols).max() <= 127


def test_zero_and_huge_weights_are_held() -> None:
    shape = RuleShape(6, 8)
    weights = np.zeros((2, shape.parameters), dtype=np.float32)
    weights[1] = 1e3
    back = dequantize(quantize(weights, shape), shape)
    assert (back[0] == 0).all()
    np.testing.assert_allclose(back[1], 1e3, rtol=0.05)
