"""Training on a GPU: weights, gradients and optimizer stay there; only losses come back each iteration."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from regrow.core.codec.fit.engines.gpu.engine import CudaEngine
from regrow.core.codec.fit.optimizers.adam import Adam
from regrow.core.codec.fit.optimizers.torch_soap import TorchSoap
from regrow.core.codec.fit.trainers.base import Training
from regrow.core.codec.fit.trainers.batch import BatchTrainer, Optimizer
from regrow.core.codec.presets import OptimizerName
from regrow.core.codec.rule import RuleShape


class DeviceTrainer(BatchTrainer):
    """Works with the CUDA engine's method for tensors on the device."""

    def __init__(self, engine: CudaEngine, training: Training) -> None:
        self._engine = engine
        count = len(training.weights)
        super().__init__(torch, training, _make_optimizer(training.optimizer, training.shape, count, engine.device))

    def _own(self, array: npt.NDArray[Any]) -> Tensor:
        return torch.tensor(array, device=self._engine.device)

    def _numpy(self, own: Tensor) -> npt.NDArray[Any]:
        result: npt.NDArray[Any] = own.cpu().numpy()
        return result

    def _differentiate(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        training = self._training
        result = self._engine.loss_and_gradients_device(
            training.shape, weights, self._seed, self._pixels, self._extents, training.rollout
        )
        return result.losses, result.weights


def _make_optimizer(name: OptimizerName, shape: RuleShape, count: int, device: torch.device) -> Optimizer:
    match name:
        case OptimizerName.SOAP:
            return TorchSoap(shape, count, device=device)
        case OptimizerName.ADAM:
            return Adam(shape.parameters, count, device=device)
