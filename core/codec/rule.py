"""A rule: the weights of one patch's neural cellular automaton, as one flat vector.

Source: the paper, section "GNCA", and Mordvintsev et al., "Growing Neural Cellular Automata" (Distill, 2020).
A cell's state has `channels` values. Perception stacks, channel-major, the state itself, its Sobel-x and its Sobel-y
response: z in R^(3·channels). The update is ``state += W2 · relu(W1 · z + b1)`` with `hidden` units and no output bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from regrow.core.errors import InvalidSettings

FloatArray = npt.NDArray[np.floating]

# A visible channel holds brightness minus this, so that an untouched cell is mid-grey rather than black.
VISIBLE_OFFSET = 0.5

MOST_STEPS = 1024
"""Updates that a rollout has at most (docs/FORMAT.md, 1.1)."""


@dataclass(frozen=True, slots=True)
class RuleShape:
    """The sizes of a rule.

    channels: values per cell (n_c); the first `visible` of them are shown.
    hidden: units of the update's hidden layer (h_s).
    visible: 1 (grey), 3 (RGB) or 4 (RGB and alpha).
    """

    channels: int
    hidden: int
    visible: int = 3

    def __post_init__(self) -> None:
        if self.visible not in (1, 3, 4):
            raise InvalidSettings(f"visible channels must be 1, 3 or 4, not {self.visible}")
        if not self.visible < self.channels <= 64:
            raise InvalidSettings(f"channels must be from {self.visible + 1} to 64, not {self.channels}")
        if not 1 <= self.hidden <= 255:
            raise InvalidSettings(f"hidden must be from 1 to 255, not {self.hidden}")

    @property
    def perceived(self) -> int:
        """Length of the perception vector z: identity, Sobel-x and Sobel-y of every channel."""
        return 3 * self.channels

    @property
    def parameters(self) -> int:
        """Number of weights n_p = h_s · (4 · n_c + 1), the paper's Table I."""
        return self.hidden * (4 * self.channels + 1)


class Tensors(NamedTuple):
    """The tensors of G rules, views of one (G, parameters) array.

    w1: (G, hidden, 3·channels); b1: (G, hidden); w2: (G, channels, hidden).
    """

    w1: FloatArray
    b1: FloatArray
    w2: FloatArray


def tensor_slices(shape: RuleShape) -> tuple[slice, slice, slice]:
    """Where W1 (row-major), b1 and W2 (row-major) lie in a rule's flat weights, in this order, without gaps."""
    end_w1 = shape.hidden * shape.perceived
    end_b1 = end_w1 + shape.hidden
    return slice(0, end_w1), slice(end_w1, end_b1), slice(end_b1, shape.parameters)


def split(weights: FloatArray, shape: RuleShape) -> Tensors:
    """Views of (G, parameters) weights as W1, b1 and W2."""
    w1, b1, w2 = tensor_slices(shape)
    count = weights.shape[0]
    return Tensors(
        weights[:, w1].reshape(count, shape.hidden, shape.perceived),
        weights[:, b1],
        weights[:, w2].reshape(count, shape.channels, shape.hidden),
    )


def initial_weights(shape: RuleShape, rngs: list[np.random.Generator]) -> npt.NDArray[np.float32]:
    """Starting weights for len(rngs) rules, float32 (G, parameters).

    W1 is uniform in ±1/sqrt(3·channels) (PyTorch's default for a 1×1 convolution), b1 and W2 are zero, so that the
    first rollout leaves the seed as it is (Growing NCA does the same). One generator per rule: a rule's start does not
    depend on the batch it is in.
    """
    weights = np.zeros((len(rngs), shape.parameters), dtype=np.float32)
    bound = 1.0 / np.sqrt(shape.perceived)
    w1, _, _ = tensor_slices(shape)
    for row, rng in zip(weights, rngs, strict=True):
        row[w1] = rng.uniform(-bound, bound, size=w1.stop)
    return weights
