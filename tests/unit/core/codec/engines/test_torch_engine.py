from __future__ import annotations

import numpy as np
import pytest
import torch

from regrow.core.codec.fit.engines.base import Targets
from regrow.core.codec.fit.engines.torch.engine import TorchEngine, grow
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import VISIBLE_OFFSET, RuleShape

pytestmark = pytest.mark.exact


def _problem(shape: RuleShape, count: int = 2, height: int = 6, width: int = 5):
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.2, (count, shape.parameters))
    seeds = rng.normal(0, 0.5, (count, shape.channels, height, width))
    extents = np.array([[height, width], [height - 1, width - 2]], dtype=np.int32)[:count]
    return weights, seeds, Targets(rng.random((count, shape.visible, height, width)), extents)


@pytest.mark.parametrize("fire_rate", [0.0, 0.5])
def test_gradients_match_finite_differences(fire_rate: float) -> None:
    shape, rollout = RuleShape(5, 4), Rollout(3, fire_rate, 9)
    engine = TorchEngine(dtype=torch.float64)
    weights, seeds, targets = _problem(shape)
    result = engine.loss_and_gradients(shape, weights, seeds, targets, rollout, seed_gradients=True)
    assert result.seeds is not None
    rng, tiny = np.random.default_rng(1), 1e-6
    for values, gradient in ((weights, result.weights), (seeds, result.seeds)):
        direction = rng.normal(size=values.shape)
        moved = []
        for sign in (1, -1):
            values += sign * tiny * direction
            moved.append(engine.loss_and_gradients(shape, weights, seeds, targets, rollout).losses.sum())
            values -= sign * tiny * direction
        assert np.isclose((moved[0] - moved[1]) / (2 * tiny), (gradient * direction).sum(), rtol=1e-6)


def test_loss_counts_only_the_extent() -> None:
    shape, rollout = RuleShape(5, 4), Rollout(2)
    engine = TorchEngine(dtype=torch.float64)
    weights, seeds, targets = _problem(shape)
    grown = grow(shape, torch.tensor(weights), torch.tensor(seeds), None, rollout.steps).numpy()[:, :3] + VISIBLE_OFFSET
    losses = engine.loss_and_gradients(shape, weights, seeds, targets, rollout).losses
    for index, (height, width) in enumerate(targets.extents):
        error = (grown - targets.pixels)[index, :, :height, :width]
        assert np.isclose(losses[index], np.mean(error**2))


def test_a_shared_rule_sums_the_gradients_of_its_patches() -> None:
    shape, rollout = RuleShape(5, 4), Rollout(2)
    engine = TorchEngine(dtype=torch.float64)
    weights, seeds, targets = _problem(shape)
    shared = engine.loss_and_gradients(shape, weights[:1], seeds, targets, rollout)
    single = engine.loss_and_gradients(shape, weights[[0, 0]], seeds, targets, rollout)
    np.testing.assert_allclose(shared.weights, single.weights.sum(axis=0, keepdims=True))
