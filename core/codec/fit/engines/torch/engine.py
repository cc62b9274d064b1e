"""The reference engine: PyTorch with autograd, float32 or float64, on any device. The oracle of the tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regrow.core.codec.fire import fire_masks
from regrow.core.codec.fit.engines.base import Array, LossAndGradients, Targets
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import VISIBLE_OFFSET, RuleShape, tensor_slices


def perceive(state: Tensor) -> Tensor:
    """Identity, Sobel-x and Sobel-y (each /8, zeros outside) of (G, channels, H, W): (G, 3·channels, H, W)."""
    padded = torch.nn.functional.pad(state, (1, 1, 1, 1))
    down = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    across = padded[:, :, :, :-2] + 2 * padded[:, :, :, 1:-1] + padded[:, :, :, 2:]
    sobel_x = (down[:, :, :, 2:] - down[:, :, :, :-2]) / 8
    sobel_y = (across[:, :, 2:] - across[:, :, :-2]) / 8
    return torch.cat((state, sobel_x, sobel_y), dim=1)


def grow(shape: RuleShape, weights: Tensor, seeds: Tensor, masks: Tensor | None, steps: int) -> Tensor:
    """Differentiable rollout; `masks` is (steps, H, W) of 0 and 1, or None for synchronous updates."""
    count = len(seeds)
    w1, b1, w2 = (weights[:, part] for part in tensor_slices(shape))
    w1 = w1.reshape(-1, shape.hidden, shape.perceived).expand(count, -1, -1)
    b1 = b1.unsqueeze(-1).expand(count, -1, 1)
    w2 = w2.reshape(-1, shape.channels, shape.hidden).expand(count, -1, -1)
    state = seeds
    for step in range(steps):
        hidden = torch.relu(torch.baddbmm(b1, w1, perceive(state).flatten(2)))
        update = torch.bmm(w2, hidden).reshape(seeds.shape)
        state = state + (update if masks is None else update * masks[step])
    return state


def patch_losses(states: Tensor, targets: Targets, visible: int) -> Tensor:
    """Mean squared error of each patch over its counted pixels; (G,)."""
    device, dtype = states.device, states.dtype
    pixels = torch.as_tensor(targets.pixels, device=device, dtype=dtype)
    extents = torch.as_tensor(targets.extents, device=device)
    rows = torch.arange(pixels.shape[2], device=device) < extents[:, :1]
    columns = torch.arange(pixels.shape[3], device=device) < extents[:, 1:]
    counted = (rows[:, None, :, None] & columns[:, None, None, :]).to(dtype)
    errors = (states[:, :visible] + VISIBLE_OFFSET - pixels) * counted
    return errors.square().sum(dim=(1, 2, 3)) / (visible * extents.prod(dim=1))


class TorchEngine:
    """Autograd through the rollout. Slow and plain on purpose."""

    name = "torch"

    def __init__(self, device: str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        self.device = torch.device(device)
        self.dtype = dtype

    def loss_and_gradients(
        self,
        shape: RuleShape,
        weights: Array,
        seeds: Array,
        targets: Targets,
        rollout: Rollout,
        *,
        seed_gradients: bool = False,
    ) -> LossAndGradients:
        """As core.codec.fit.engines.base.Engine has it."""
        leaf = self._tensor(weights).requires_grad_()
        start = self._seeds(seeds, len(targets.pixels)).requires_grad_(seed_gradients)
        losses = patch_losses(self._grow(shape, leaf, start, rollout), targets, shape.visible)
        leaves = (leaf, start) if seed_gradients else (leaf,)
        gradients = torch.autograd.grad(losses.sum(), leaves)
        return LossAndGradients(
            self._to_numpy(losses.detach()),
            self._to_numpy(gradients[0]),
            self._to_numpy(gradients[1]) if seed_gradients else None,
        )

    def curvature(
        self,
        shape: RuleShape,
        weights: Array,
        seed: Array,
        extent: npt.NDArray[np.int32],
        rollout: Rollout,
        chosen: npt.NDArray[np.intp],
    ) -> Array:
        """As core.codec.fit.engines.base.Engine has it."""
        start, flat = self._seeds(seed[None], 1), self._tensor(weights)
        rows, columns = (int(side) for side in extent)

        def counted(part: Tensor) -> Tensor:
            whole = flat.index_put((torch.from_numpy(chosen),), part)
            return self._grow(shape, whole[None], start, rollout)[0, : shape.visible, :rows, :columns].flatten()

        jacobian: Tensor = torch.func.jacrev(counted)(flat[torch.from_numpy(chosen)])
        return self._to_numpy(jacobian.T @ jacobian)

    def _grow(self, shape: RuleShape, weights: Tensor, seeds: Tensor, rollout: Rollout) -> Tensor:
        masks = None
        if rollout.fire_rate:
            _, _, height, width = seeds.shape
            masks = self._tensor(fire_masks(rollout.fire_key, rollout.steps, height, width, rollout.fire_rate))
        return grow(shape, weights, seeds, masks, rollout.steps)

    def _seeds(self, seeds: Array, count: int) -> Tensor:
        return self._tensor(seeds).expand(count, -1, -1, -1).clone()

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array, dtype=self.dtype, device=self.device)

    def _to_numpy(self, tensor: Tensor) -> Array:
        result: Array = tensor.cpu().numpy()
        return result
