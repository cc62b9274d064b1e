"""The numpy decoder against the torch reference engine."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.codec.decoder import decode, grow
from core.codec.engines.base import Rollout
from core.codec.engines.torch_engine import TorchEngine
from core.codec.rule import RuleShape
from tests.bundles import random_bundle


@pytest.mark.parametrize("fire_rate", [0.0, 0.4])
@pytest.mark.parametrize("visible", [1, 3, 4])
def test_growth_is_that_of_the_reference_engine(fire_rate: float, visible: int) -> None:
    shape, rollout = RuleShape(9, 7, visible), Rollout(6, fire_rate, 77)
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.2, (1, shape.parameters)).astype(np.float32)
    seed = rng.normal(0, 0.5, (9, 8, 11)).astype(np.float32)
    oracle = TorchEngine(dtype=torch.float64).rollout(shape, weights, seed[None], rollout)[0]
    np.testing.assert_allclose(grow(shape, weights[0], seed, rollout), oracle, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (39, 41), (40, 40), (41, 41), (120, 120)])
def test_exactly_the_original_size_comes_back(size: tuple[int, int]) -> None:
    """I7"""
    picture = decode(random_bundle(*size))
    assert (picture.height, picture.width) == size
