"""Training on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.core.codec.fit.engines.base import Array, Engine, Targets
from regrow.core.codec.fit.optimizers.numba_soap import NumbaSoap
from regrow.core.codec.fit.trainers.base import Training
from regrow.core.codec.fit.trainers.batch import BatchTrainer, Optimizer
from regrow.core.codec.presets import OptimizerName
from regrow.core.codec.rule import RuleShape
from regrow.core.errors import InvalidSettings


class HostTrainer(BatchTrainer):
    """Works with any engine whose arrays are numpy's."""

    def __init__(self, engine: Engine, training: Training) -> None:
        self._engine = engine
        super().__init__(np, training, _make_optimizer(training.optimizer, training.shape, len(training.weights)))

    def _own(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return array.copy()

    def _numpy(self, own: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return own

    def _differentiate(self, weights: Array) -> tuple[Array, Array]:
        training, targets = self._training, Targets(self._pixels, self._extents)
        result = self._engine.loss_and_gradients(training.shape, weights, self._seed, targets, training.rollout)
        return result.losses, result.weights


def _make_optimizer(name: OptimizerName, shape: RuleShape, count: int) -> Optimizer:
    match name:
        case OptimizerName.SOAP:
            return NumbaSoap(shape, count)
        case OptimizerName.ADAM:
            try:
                from regrow.core.codec.fit.trainers.host_adam import HostAdam  # imports torch, which takes seconds
            except (ImportError, OSError) as error:  # the latter where one of its libraries cannot be loaded
                raise InvalidSettings(
                    f"effort paper needs PyTorch (regrow[fit]), which cannot be imported: {error}"
                ) from error

            return HostAdam(shape.parameters, count)
