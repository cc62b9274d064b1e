"""Training on a GPU: weights, gradients and optimizer stay there; only losses come back each iteration."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regrow.core.codec.fit.checkpoint import Arrays, with_prefix, without_prefix
from regrow.core.codec.fit.engines.base import Array
from regrow.core.codec.fit.engines.gpu.engine import CudaEngine
from regrow.core.codec.fit.noise import UNIFORM_BITS, uniform_bits
from regrow.core.codec.fit.optimizers.adam import Adam
from regrow.core.codec.fit.optimizers.torch_soap import TorchSoap
from regrow.core.codec.fit.quantization import STEP_SHARES
from regrow.core.codec.fit.trainers.base import NOISE_SHARE, RATE_SHARE, SMALLEST_SQUARE, Training
from regrow.core.codec.presets import OptimizerName
from regrow.core.codec.rule import RuleShape, tensor_slices


class DeviceTrainer:
    """Works with the CUDA engine's methods for tensors on the device."""

    def __init__(self, engine: CudaEngine, training: Training) -> None:
        device = engine.device
        self._engine = engine
        self._training = training
        self._seed = torch.as_tensor(training.seed, dtype=torch.float32, device=device)[None].contiguous()
        self._pixels = torch.as_tensor(training.targets.pixels, dtype=torch.float32, device=device).contiguous()
        self._extents = torch.as_tensor(training.targets.extents, dtype=torch.int32, device=device)
        self._keys = torch.as_tensor(training.keys, device=device)
        self._weights = torch.tensor(training.weights, device=device)
        self._best = self._weights.clone()
        self._best_losses = torch.full((len(self._weights),), torch.inf, device=device)
        self._frozen = None if training.frozen is None else torch.as_tensor(training.frozen, device=device)
        self._positions = torch.arange(training.shape.parameters, device=device)[None]
        self._optimizer = _make_optimizer(training.optimizer, training.shape, len(self._weights), device)

    def step(self, iteration: int, learning_rate: float, *, noisy: bool) -> Array:
        training = self._training
        tried = self._weights + self._noise(iteration) if noisy else self._weights
        result = self._engine.loss_and_gradients_device(
            training.shape, tried, self._seed, self._pixels, self._extents, training.rollout
        )
        better = result.losses < self._best_losses
        self._best = torch.where(better[:, None], self._weights, self._best)
        self._best_losses = torch.where(better, result.losses, self._best_losses)
        gradients = result.weights + self._rate_gradient(result.losses) if noisy else result.weights
        rates = torch.full_like(self._best_losses, learning_rate)
        if self._frozen is None:
            self._optimizer.step(self._weights, gradients, rates)
        else:
            kept = self._weights.clone()
            self._optimizer.step(self._weights, gradients.masked_fill(self._frozen, 0.0), rates)
            self._weights.copy_(torch.where(self._frozen, kept, self._weights))
        losses: Array = result.losses.cpu().numpy()
        return losses

    def keep(self, indices: npt.NDArray[np.intp]) -> None:
        kept = torch.as_tensor(indices, device=self._weights.device)
        self._weights, self._keys = self._weights[kept], self._keys[kept]
        self._best, self._best_losses = self._best[kept], self._best_losses[kept]
        self._pixels, self._extents = self._pixels[kept], self._extents[kept]
        self._frozen = None if self._frozen is None else self._frozen[kept]
        self._optimizer.keep(kept)

    def current(self) -> Array:
        weights: Array = self._weights.cpu().numpy()
        return weights

    def best(self) -> tuple[Array, Array]:
        return self._best.cpu().numpy(), self._best_losses.cpu().numpy()

    def state(self) -> Arrays:
        own = {"weights": self._weights, "best": self._best, "best_losses": self._best_losses}
        optimizers = self._optimizer.export_state()
        return {name: tensor.cpu().numpy() for name, tensor in own.items()} | with_prefix(
            "optimizer", {name: tensor.numpy() for name, tensor in optimizers.items()}
        )

    def restore(self, state: Arrays) -> None:
        device = self._weights.device
        self._weights, self._best, self._best_losses = (
            torch.tensor(state[name], device=device) for name in ("weights", "best", "best_losses")
        )
        optimizers = without_prefix("optimizer", state)
        self._optimizer.import_state({name: torch.from_numpy(array) for name, array in optimizers.items()})

    def _noise(self, iteration: int) -> Tensor:
        bits = uniform_bits(self._keys[:, None], iteration, self._positions)
        noise: Tensor = bits.to(torch.float32) * 2.0**-UNIFORM_BITS - 0.5
        for part, share in zip(tensor_slices(self._training.shape), STEP_SHARES, strict=True):
            noise[:, part] *= NOISE_SHARE * share * self._mean_squares(part).sqrt()
        return noise if self._frozen is None else noise.masked_fill(self._frozen, 0.0)

    def _rate_gradient(self, losses: Tensor) -> Tensor:
        """As HostTrainer's."""
        gradient = torch.empty_like(self._weights)
        worth = 2 * RATE_SHARE / self._training.shape.parameters * losses[:, None]
        for part in tensor_slices(self._training.shape):
            gradient[:, part] = worth * self._weights[:, part] / self._mean_squares(part)
        return gradient

    def _mean_squares(self, part: slice) -> Tensor:
        """Of each rule's tensor; (G, 1)."""
        return self._weights[:, part].square().mean(dim=1, keepdim=True) + SMALLEST_SQUARE


def _make_optimizer(name: OptimizerName, shape: RuleShape, count: int, device: torch.device) -> TorchSoap | Adam:
    match name:
        case OptimizerName.SOAP:
            return TorchSoap(shape, count, device=device)
        case OptimizerName.ADAM:
            return Adam(shape.parameters, count, device=device)
