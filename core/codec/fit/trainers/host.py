"""Training on the CPU."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from regrow.core.codec.fit.checkpoint import Arrays, with_prefix, without_prefix
from regrow.core.codec.fit.engines.base import Array, Engine, Targets
from regrow.core.codec.fit.noise import UNIFORM_BITS, uniform_bits
from regrow.core.codec.fit.optimizers.numba_soap import NumbaSoap
from regrow.core.codec.fit.quantization import STEP_SHARES
from regrow.core.codec.fit.trainers.base import NOISE_SHARE, RATE_SHARE, SMALLEST_SQUARE, Training
from regrow.core.codec.presets import OptimizerName
from regrow.core.codec.rule import RuleShape, tensor_slices
from regrow.core.errors import InvalidSettings


class _Optimizer(Protocol):
    def step(self, weights: Array, gradients: Array, learning_rates: Array) -> npt.NDArray[np.bool_]: ...

    def keep(self, indices: npt.NDArray[np.intp]) -> None: ...

    def export_state(self) -> Arrays: ...

    def import_state(self, arrays: Arrays) -> None: ...


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
        self._frozen = training.frozen
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
        gradients = result.weights
        if noisy:
            gradients = gradients + self._rate_gradient(result.losses)
        rates = np.full(len(self._weights), learning_rate, dtype=np.float32)
        if self._frozen is None:
            self._optimizer.step(self._weights, gradients, rates)
        else:
            kept = self._weights[self._frozen]
            gradients[self._frozen] = 0
            self._optimizer.step(self._weights, gradients, rates)
            self._weights[self._frozen] = kept
        return result.losses

    def keep(self, indices: npt.NDArray[np.intp]) -> None:
        self._weights, self._keys = self._weights[indices], self._keys[indices]
        self._best, self._best_losses = self._best[indices], self._best_losses[indices]
        self._targets = Targets(self._targets.pixels[indices], self._targets.extents[indices])
        if self._frozen is not None:
            self._frozen = self._frozen[indices]
        self._optimizer.keep(indices)

    def current(self) -> Array:
        return self._weights

    def best(self) -> tuple[Array, Array]:
        return self._best, self._best_losses

    def state(self) -> Arrays:
        own = {"weights": self._weights, "best": self._best, "best_losses": self._best_losses}
        return own | with_prefix("optimizer", self._optimizer.export_state())

    def restore(self, state: Arrays) -> None:
        self._weights, self._best, self._best_losses = (state[name] for name in ("weights", "best", "best_losses"))
        self._optimizer.import_state(without_prefix("optimizer", state))

    def _noise(self, iteration: int) -> Array:
        bits = uniform_bits(self._keys[:, None], iteration, self._positions)
        noise: Array = bits.astype(np.float32) * np.float32(2.0**-UNIFORM_BITS) - np.float32(0.5)
        for part, share in zip(tensor_slices(self._training.shape), STEP_SHARES, strict=True):
            noise[:, part] *= np.float32(NOISE_SHARE * share) * np.sqrt(self._mean_squares(part))
        if self._frozen is not None:
            noise[self._frozen] = 0
        return noise

    def _rate_gradient(self, losses: Array) -> Array:
        """The gradient of the bits that the weights cost, by how much a bit is worth of each rule's loss (G,).

        Coding a tensor of n weights costs about n/2 · log2(mean square) bits and a constant.
        """
        gradient = np.empty_like(self._weights)
        worth = np.float32(2 * RATE_SHARE / self._training.shape.parameters) * losses[:, None]
        for part in tensor_slices(self._training.shape):
            gradient[:, part] = worth * self._weights[:, part] / self._mean_squares(part)
        return gradient

    def _mean_squares(self, part: slice) -> Array:
        """Of each rule's tensor; (G, 1)."""
        squares: Array = np.square(self._weights[:, part]).mean(axis=1, keepdims=True) + np.float32(SMALLEST_SQUARE)
        return squares


def _make_optimizer(name: OptimizerName, shape: RuleShape, count: int) -> _Optimizer:
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
