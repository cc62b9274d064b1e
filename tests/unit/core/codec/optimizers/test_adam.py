from __future__ import annotations

import pytest
import torch

from regrow.core.codec.fit.optimizers.adam import Adam

pytestmark = pytest.mark.exact


def test_follows_torchs_own_adam() -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(3, 5, generator=generator)
    weights, theirs = start.clone(), start.clone().requires_grad_()
    ours, reference = Adam(5, 3), torch.optim.Adam([theirs], lr=2e-3)
    for _ in range(50):
        gradients = torch.randn(3, 5, generator=generator)
        assert ours.step(weights, gradients, torch.full((3,), 2e-3)).all()
        theirs.grad = gradients.clone()
        reference.step()
    torch.testing.assert_close(weights, theirs.detach(), rtol=1e-4, atol=1e-6)


def test_a_bad_gradient_changes_only_nothing() -> None:
    weights, adam = torch.ones(2, 4), Adam(4, 2)
    gradients = torch.ones(2, 4)
    gradients[0, 1] = torch.nan
    assert adam.step(weights, gradients, torch.ones(2)).tolist() == [False, True]
    assert (weights[0] == 1).all()
    adam.keep(torch.tensor([1]))
    assert adam.step(weights[1:], gradients[1:], torch.ones(1)).tolist() == [True]
