"""Training on the CPU."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from core.codec.engines.base import Array, Engine, Targets
from core.codec.noise import UNIFORM_BITS, uniform_bits
from core.codec.optimizers.adam import Adam
from core.codec.optimizers.numba_soap import NumbaSoap
from core.codec.presets import OptimizerName
from core.codec.rule import RuleShape, tensor_slices
from core.codec.trainers.base import NOISE_STEPS, Training


class _Optimizer(Protocol):
    def step(self, weights: Array, gradients: Array, learning_rates: Array) -> npt.NDArray[np.bool_]: ...

    def keep(self, indices: npt.NDArray[np.intp]) -> None: ...


class _HostAdam:
    """Adam on arrays: torch works on the same memory."""

    def __init__(self, parameters: int, count: int) -> None:
        self._adam = Adam(parameters, count)

    def step(self, weights: Array, gradients: Array, learning_rates: Array) -> npt.NDArray[np.bool_]:
        tensors = (torch.from_numpy(array) for array in (weights, gradients, learning_rates))
        updated: npt.NDArray[np.bool_] = self._adam.step(*tensors).numpy()
        return updated

    def keep(self, indices: npt.NDArray[np.intp]) -> None:
        self._adam.keep(torch.from_numpy(indices))


class HostTrainer:
    """Works with any engine whose arrays are numpy's."""

    def __init__(self, engine: Engine, training: Training) -> None:
        self._engine = engine
        self._training = training
        self._targets = training.targets
        self._keys = training.keys
        self._weights = training.weights.copy()
        self._best = training.weights.copy()
        self._best_losses = np.full(len(self._weights), np.inf, dtype=np.float32)
        self._positions = np.arange(training.shape.parameters, dtype=np.int64)[None]
        self._optimizer = _make_optimizer(training.optimizer, training.shape, len(self._weights))

    def step(self, iteration: int, learning_rate: float, *, noisy: bool) -> Array:
        training = self._training
        tried = self._weights + self._noise(iteration) if noisy else self._weights
        result = self._engine.loss_and_gradients(
            training.shape, tried, training.seed[None], self._targets, training.rollout
        )
        better = result.losses < self._best_losses
        self._best[better] = self._weights[better]
        self._best_losses[better] = result.losses[better]
        rates = np.full(len(self._weights), learning_rate, dtype=np.float32)
        self._optimizer.step(self._weights, result.weights, rates)
        return result.losses

    def keep(self, indices: npt.NDArray[np.intp]) -> None:
        self._weights, self._keys = self._weights[indices], self._keys[indices]
        self._best, self._best_losses = self._best[indices], self._best_losses[indices]
        self._targets = Targets(self._targets.pixels[indices], self._targets.extents[indices])
        self._optimizer.keep(indices)

    def best(self) -> tuple[Array, Array]:
        return self._best, self._best_losses

    def _noise(self, iteration: int) -> Array:
        bits = uniform_bits(self._keys[:, None], iteration, self._positions)
        noise: Array = bits.astype(np.float32) * np.float32(2.0**-UNIFORM_BITS) - np.float32(0.5)
        for part in tensor_slices(self._training.shape):
            noise[:, part] *= np.abs(self._weights[:, part]).max(axis=1, keepdims=True) / np.float32(NOISE_STEPS)
        return noise


def _make_optimizer(name: OptimizerName, shape: RuleShape, count: int) -> _Optimizer:
    match name:
        case OptimizerName.SOAP:
            return NumbaSoap(shape, count)
        case OptimizerName.ADAM:
            return _HostAdam(shape.parameters, count)
