"""The protocol that every engine implements: one rollout, differentiated, for many rules at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Targets:
    """What G rules shall grow.

    pixels: float32 (G, visible, height, width), brightness in [0, 1]; padded to the patch size.
    extents: int32 (G, 2), the height and width of each patch that is picture and not padding; only this top-left
        rectangle counts in the loss.
    """

    pixels: Array
    extents: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class LossAndGradients:
    """The result of one differentiated rollout.

    losses: float32 (G,), mean squared error over the counted pixels and visible channels, brightness in [0, 1].
    weights: float32, the gradient by the weights, of the weights' shape.
    seeds: float32 (G, channels, height, width), the gradient by the initial state, or None where not asked for.
    """

    losses: Array
    weights: Array
    seeds: Array | None


class Engine(Protocol):
    """Grows states and differentiates the growth, for G patches in one call.

    `weights` is float32 (G, parameters), or (1, parameters) for one rule shared by all G patches, whose gradient is
    then the sum over the patches. `seeds` is float32 (G, channels, height, width), or (1, ...) for a common seed.
    Cells outside the patch count as zeros in perception. A patch's numbers never depend on its neighbours in the
    call, nor on the number of threads: to the last bit in the engines numba and cuda, but for rounding in torch.
    """

    name: str

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
        """Loss of the grown picture against the targets, and its gradients."""
        ...

    def curvature(
        self,
        shape: RuleShape,
        weights: Array,
        seed: Array,
        extent: npt.NDArray[np.int32],
        rollout: Rollout,
        chosen: npt.NDArray[np.intp],
    ) -> Array:
        """The Gauss-Newton matrix JJᵀ of one rule; float32 (n, n).

        J (n, counted visible values) is the derivative of the grown picture by each of the n `chosen` weights. weights:
        float32 (parameters,); seed: float32 (channels, height, width); extent: int32 (2,), as in Targets. Unlike the
        other methods, this may be called from several threads at once.
        """
        ...
