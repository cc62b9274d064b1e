"""Adam on numpy's arrays, for training on the CPU."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from regrow.core.codec.fit.checkpoint import Arrays
from regrow.core.codec.fit.engines.base import Array
from regrow.core.codec.fit.optimizers.adam import Adam


class HostAdam:
    """Adam on arrays: torch works on the same memory. What the methods do, Adam's say."""

    def __init__(self, parameters: int, count: int) -> None:
        self._adam = Adam(parameters, count)

    def step(self, weights: Array, gradients: Array, learning_rates: Array) -> npt.NDArray[np.bool_]:
        tensors = (torch.from_numpy(array) for array in (weights, gradients, learning_rates))
        updated: npt.NDArray[np.bool_] = self._adam.step(*tensors).numpy()
        return updated

    def keep(self, indices: npt.NDArray[np.intp]) -> None:
        self._adam.keep(torch.from_numpy(indices))

    def export_state(self) -> Arrays:
        return {name: tensor.numpy() for name, tensor in self._adam.export_state().items()}

    def import_state(self, arrays: Arrays) -> None:
        self._adam.import_state({name: torch.from_numpy(array) for name, array in arrays.items()})
