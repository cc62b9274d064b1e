"""Growth of one shared rule as a step of torch's autograd: compiled on a CPU, torch's own elsewhere."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from regrow.core.codec.fit.engines.cpu.engine import NumbaEngine
from regrow.core.codec.fit.engines.torch.engine import grow as grow_by_autograd
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape

HIDDEN_MEMORY = 1 << 30

_engines: dict[tuple[int, ...], NumbaEngine] = {}


def grow(states: Tensor, weights: Tensor, shape: RuleShape, steps: int) -> Tensor:
    """The states (G, channels, height, width) after so many updates by one rule, weights (parameters,).

    Differentiable by both.
    """
    if steps == 0:
        return states
    if states.device.type != "cpu":
        return grow_by_autograd(shape, weights[None], states, None, steps)
    grown: Tensor = _Grow.apply(states.contiguous(), weights, shape, steps)  # type: ignore[no-untyped-call]
    return grown


class _Grow(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, weights: Tensor, shape: RuleShape, steps: int) -> Tensor:
        ctx.save_for_backward(states, weights)
        ctx.shape, ctx.steps = shape, steps
        engine = _engine(shape, states, steps)
        grown = engine.grow(shape, weights.detach().numpy()[None], states.detach().numpy(), Rollout(steps))
        return torch.from_numpy(grown)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        states, weights = ctx.saved_tensors
        engine = _engine(ctx.shape, states, ctx.steps)
        by_weights, by_states = engine.pull_back(
            ctx.shape, weights.numpy()[None], states.numpy(), gradient.contiguous().numpy(), Rollout(ctx.steps)
        )
        return torch.from_numpy(by_states), torch.from_numpy(by_weights[0]), None, None


def _engine(shape: RuleShape, states: Tensor, steps: int) -> NumbaEngine:
    """One for every size: an engine keeps its scratch memory from call to call."""
    key = (shape.channels, shape.hidden, *states.shape, steps)
    return _engines.setdefault(key, NumbaEngine(HIDDEN_MEMORY))
