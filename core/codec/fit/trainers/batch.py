"""Training as it is on the CPU and on a GPU alike.

numpy and torch have the same operators, and functions of the same names and arguments: one text serves both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from regrow.core.codec.fit.checkpoint import Arrays, with_prefix, without_prefix
from regrow.core.codec.fit.engines.base import Array
from regrow.core.codec.fit.noise import UNIFORM_BITS, uniform_bits
from regrow.core.codec.fit.quantization import STEP_SIZE_SHARES
from regrow.core.codec.fit.trainers.base import NOISE_SHARE, RATE_SHARE, SMALLEST_SQUARE, Training
from regrow.core.codec.rule import tensor_slices

OwnArray = Any
"""An array of numpy's, or a tensor of torch's on the trainer's device."""


class Optimizer(Protocol):
    """Of G rules (core.codec.fit.optimizers), on own arrays."""

    def step(self, weights: OwnArray, gradients: OwnArray, learning_rates: OwnArray) -> OwnArray:
        """Change `weights` (G, parameters) in place, against the gradients, at rates (G,)."""
        ...

    def keep(self, indices: OwnArray) -> None:
        """Go on with these rules only, which are then numbered in this order."""
        ...

    def export_state(self) -> dict[str, Any]:
        """All that the next update depends on, with one row per rule, on the CPU."""
        ...

    def import_state(self, state: dict[str, Any]) -> None:
        """Go on from an exported state."""
        ...


class BatchTrainer(ABC):
    """A Trainer but for where its arrays are and what differentiates.

    xp: numpy or torch.
    """

    def __init__(self, xp: Any, training: Training, optimizer: Optimizer) -> None:
        self._xp, self._training, self._optimizer = xp, training, optimizer
        self._weights, self._best = self._own(training.weights), self._own(training.weights)
        self._best_losses = self._own(np.full(len(training.weights), np.inf, dtype=np.float32))
        self._frozen = None if training.frozen is None else self._own(training.frozen)
        self._keys = self._own(training.keys)
        self._positions = self._own(np.arange(training.shape.parameters, dtype=np.int64)[None])
        self._seed = self._own(training.seed[None])
        self._pixels, self._extents = self._own(training.targets.pixels), self._own(training.targets.extents)

    @abstractmethod
    def _own(self, array: npt.NDArray[Any]) -> OwnArray:
        """A copy, where the trainer's arrays are."""

    @abstractmethod
    def _numpy(self, own: OwnArray) -> npt.NDArray[Any]:
        """The same values, or the same array, on the CPU."""

    @abstractmethod
    def _differentiate(self, weights: OwnArray) -> tuple[OwnArray, OwnArray]:
        """Each rule's loss with these weights, (G,), and its gradient by them, (G, parameters); float32."""

    def iterate(self, iteration: int, learning_rate: float, *, noisy: bool) -> Array:
        """As Trainer.iterate."""
        tried = self._weights + self._noise(iteration) if noisy else self._weights
        losses, gradients = self._differentiate(tried)
        better = losses < self._best_losses
        self._best = self._xp.where(better[:, None], self._weights, self._best)
        self._best_losses = self._xp.where(better, losses, self._best_losses)
        if noisy:
            gradients = gradients + self._rate_gradient(losses)
        self._update(gradients, self._xp.full_like(losses, learning_rate))
        return self._numpy(losses)

    def keep(self, indices: npt.NDArray[np.intp]) -> None:
        """As Trainer.keep."""
        kept = self._own(indices)
        self._weights, self._keys = self._weights[kept], self._keys[kept]
        self._best, self._best_losses = self._best[kept], self._best_losses[kept]
        self._pixels, self._extents = self._pixels[kept], self._extents[kept]
        if self._frozen is not None:
            self._frozen = self._frozen[kept]
        self._optimizer.keep(kept)

    def current(self) -> Array:
        """As Trainer.current."""
        return self._numpy(self._weights)

    def best(self) -> tuple[Array, Array]:
        """As Trainer.best."""
        return self._numpy(self._best), self._numpy(self._best_losses)

    def state(self) -> Arrays:
        """As Trainer.state."""
        own = {"weights": self._weights, "best": self._best, "best_losses": self._best_losses}
        state = own | with_prefix("optimizer", self._optimizer.export_state())
        return {name: self._numpy(array) for name, array in state.items()}

    def restore(self, state: Arrays) -> None:
        """As Trainer.restore."""
        own = {name: self._own(array) for name, array in state.items()}
        self._weights, self._best, self._best_losses = (own[name] for name in ("weights", "best", "best_losses"))
        self._optimizer.import_state(without_prefix("optimizer", own))

    def _update(self, gradients: OwnArray, rates: OwnArray) -> None:
        """Let the optimizer change the weights that are not frozen."""
        if self._frozen is None:
            self._optimizer.step(self._weights, gradients, rates)
            return
        before = self._xp.asarray(self._weights, copy=True)
        self._optimizer.step(self._weights, self._thawed(gradients), rates)
        self._weights = self._xp.where(self._frozen, before, self._weights)

    def _thawed(self, values: OwnArray) -> OwnArray:
        """The values with zeros for frozen weights."""
        return values if self._frozen is None else self._xp.where(self._frozen, self._xp.zeros_like(values), values)

    def _noise(self, iteration: int) -> OwnArray:
        """Uniform, NOISE_SHARE of the usual quantisation step size wide; float32 (G, parameters)."""
        bits = uniform_bits(self._keys[:, None], iteration, self._positions)
        noise = self._xp.asarray(bits, dtype=self._xp.float32) * 2.0**-UNIFORM_BITS - 0.5
        for part, share in zip(tensor_slices(self._training.shape), STEP_SIZE_SHARES, strict=True):
            noise[:, part] *= NOISE_SHARE * share * self._xp.sqrt(self._mean_squares(part))
        return self._thawed(noise)

    def _rate_gradient(self, losses: OwnArray) -> OwnArray:
        """The gradient of the bits that the weights cost, by how much a bit is worth of each rule's loss (G,).

        Coding a tensor of n weights costs about n/2 · log2(mean square) bits and a constant.
        """
        gradient = self._xp.empty_like(self._weights)
        worth = 2 * RATE_SHARE / self._training.shape.parameters * losses[:, None]
        for part in tensor_slices(self._training.shape):
            gradient[:, part] = worth * self._weights[:, part] / self._mean_squares(part)
        return gradient

    def _mean_squares(self, part: slice) -> OwnArray:
        """Of each rule's tensor; (G, 1)."""
        return self._xp.mean(self._xp.square(self._weights[:, part]), axis=1, keepdims=True) + SMALLEST_SQUARE
