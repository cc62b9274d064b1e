"""The paper's training loop as one would first write it in PyTorch: what everything else is compared with.

One patch, a batch of identical pixel seeds, depthwise convolutions for perception, two 1×1 convolutions for the update,
autograd through all steps, Adam at 2e-3.
"""

from __future__ import annotations

import torch
from torch import nn

from regrow.core.codec.rule import VISIBLE_OFFSET, RuleShape

STEPS = 224
BATCH = 8
ITERATIONS = 40_000
SIDE = 40


class PaperLoop:
    """One patch in training. `iterate` does what one epoch of the paper does."""

    def __init__(self, shape: RuleShape, target: torch.Tensor, batch: int = BATCH, steps: int = STEPS) -> None:
        side = target.shape[-1]
        self._shape, self._batch, self._steps = shape, batch, steps
        self._target = target.expand(batch, -1, -1, -1)
        self._seed = torch.zeros(1, shape.channels, side, side)
        self._seed[:, shape.visible :, side // 2, side // 2] = 1
        sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
        identity = torch.zeros(3, 3)
        identity[1, 1] = 1
        self._filters = torch.stack([identity, sobel, sobel.T]).repeat(shape.channels, 1, 1)[:, None]
        self._update = nn.Sequential(
            nn.Conv2d(3 * shape.channels, shape.hidden, 1),
            nn.ReLU(),
            nn.Conv2d(shape.hidden, shape.channels, 1, bias=False),
        )
        nn.init.zeros_(self._update[2].weight)
        self._optimizer = torch.optim.Adam(self._update.parameters(), lr=2e-3)

    def iterate(self) -> float:
        """One iteration; the loss before it."""
        state = self._seed.repeat(self._batch, 1, 1, 1)
        for _ in range(self._steps):
            seen = nn.functional.conv2d(state, self._filters, padding=1, groups=self._shape.channels)
            state = state + self._update(seen)
        loss = nn.functional.mse_loss(state[:, : self._shape.visible] + VISIBLE_OFFSET, self._target)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return loss.item()
