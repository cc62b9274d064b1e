"""The fast engines' Gauss-Newton matrices against that of float64 autograd."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from regrow.core.codec.fit.engines.cpu.engine import NumbaEngine
from regrow.core.codec.fit.engines.torch.engine import TorchEngine
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape, tensor_slices

pytestmark = pytest.mark.exact

ENGINE = NumbaEngine()
ORACLE = TorchEngine(dtype=torch.float64)


def drawn(seed: int, shape: RuleShape, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, a seed state and an extent."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=shape.parameters).astype(np.float32) * 0.3
    weights[tensor_slices(shape)[1]] += 3.0  # away from the kinks of ReLU, where the derivative is anyone's guess
    start = rng.normal(scale=0.2, size=(shape.channels, *size)).astype(np.float32)
    return weights * 0.3, start, np.array([rng.integers(1, side + 1) for side in size], dtype=np.int32)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999),
    visible=st.sampled_from([1, 3, 4]),
    more=st.integers(1, 13),
    hidden=st.integers(1, 20),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    rollout=st.builds(Rollout, st.integers(1, 4), st.sampled_from([0.0, 0.4]), st.integers(0, 9)),
)
def test_equals_autograd(
    seed: int, visible: int, more: int, hidden: int, size: tuple[int, int], rollout: Rollout
) -> None:
    shape = RuleShape(visible + more, hidden, visible)
    weights, start, extent = drawn(seed, shape, size)
    chosen = np.random.default_rng(seed).permutation(shape.parameters)[:40]
    expected = ORACLE.curvature(shape, weights, start, extent, rollout, chosen)
    found = ENGINE.curvature(shape, weights, start, extent, rollout, chosen)
    assert found.dtype == np.float32
    assert np.linalg.norm(found - expected) <= 1e-4 * np.linalg.norm(expected) + 1e-12


@pytest.mark.parametrize("whole", [True, False])
def test_may_be_called_from_several_threads(whole: bool) -> None:
    shape = RuleShape(9, 7)
    weights, start, extent = drawn(3, shape, (11, 13))
    chosen = np.arange(shape.parameters) if whole else np.arange(3, shape.parameters, 5)

    def call(_: int) -> np.ndarray:
        return ENGINE.curvature(shape, weights, start, extent, Rollout(3), chosen)

    expected = call(0)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(call, range(8)):
            np.testing.assert_allclose(found, expected, rtol=1e-5)
