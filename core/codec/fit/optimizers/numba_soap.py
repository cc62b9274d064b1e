"""SOAP for many rules at once on the CPU.

Source: Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam" (2024). Adam runs in the eigenbases of the
averages of G·G^T and G^T·G, where G is a tensor's gradient. A rule has two tensors: W1 with b1 as a last column,
(hidden, 3·channels + 1), and W2, (channels, hidden). Each rule is stepped by one thread in a fixed order of sums, so
its numbers depend neither on the batch nor on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from regrow.core.codec.fit.optimizers import numba_bases
from regrow.core.codec.fit.optimizers.numba_bases import (
    FAST,
    between,
    drop_noise,
    eigenbasis,
    refresh_basis,
    transposed,
)
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.simd import dense, vectors
from regrow.core.codec.simd.cache import cached, digest
from regrow.core.codec.simd.dense import product

Array = npt.NDArray[np.float32]

# Gradients are scaled to norm 1 first; directions in which a gradient is nothing but rounding error (about 1e-8) must
# not be blown up to full steps.
EPSILON = np.float32(1e-6)


@njit(nogil=True, fastmath=FAST, error_model="numpy")
def _average(average, new, beta):  # type: ignore[no-untyped-def]
    """average = beta · average + (1 - beta) · new, elementwise."""
    for i in range(average.shape[0]):
        for j in range(average.shape[1]):
            average[i, j] = beta * average[i, j] + (np.float32(1.0) - beta) * new[i, j]


@njit(nogil=True, error_model="numpy")
def _step_tensor(gradient, averages, bases, moments, taken, betas, refresh_every):  # type: ignore[no-untyped-def]
    """One SOAP step of one tensor of one rule: replaces the gradient by the direction to go against.

    gradient: (m, n), scaled to norm 1. averages, bases: (m, m) and (n, n) each. moments: Adam's first one, in the
    tensor's own space, and second one, in the bases; (m, n) each. taken: steps before this one.
    """
    left, right = averages
    left_basis, right_basis = bases
    first, second = moments
    beta1, beta2 = betas
    across = transposed(gradient)
    square = np.empty_like(left)
    product(gradient, across, square)
    _average(left, square, beta2)
    square = np.empty_like(right)
    product(across, gradient, square)
    _average(right, square, beta2)
    if taken == 0:
        eigenbasis(gradient, left_basis)
        eigenbasis(across, right_basis)
    elif taken % refresh_every == 0:
        rows, columns = refresh_basis(left, left_basis), refresh_basis(right, right_basis)
        old = second.copy()
        for i in range(len(rows)):
            for j in range(len(columns)):
                second[i, j] = old[rows[i], columns[j]]
    _average(first, gradient, beta1)
    left_back, right_back = transposed(left_basis), transposed(right_basis)
    rotated = between(left_basis, gradient, right_back)
    moment = between(left_basis, first, right_back)
    if taken == 0:
        drop_noise(rotated, moment)
        drop_noise(rotated, rotated)
    for i in range(rotated.shape[0]):
        for j in range(rotated.shape[1]):
            rotated[i, j] *= rotated[i, j]
    _average(second, rotated, beta2)
    correction1 = np.float32(1.0 - np.float64(beta1) ** (taken + 1))
    correction2 = np.float32(1.0 - np.float64(beta2) ** (taken + 1))
    for i in range(moment.shape[0]):
        for j in range(moment.shape[1]):
            moment[i, j] = moment[i, j] / correction1 / (np.sqrt(second[i, j] / correction2) + EPSILON)
    gradient[:] = between(left_back, moment, right_basis)


@njit(nogil=True, error_model="numpy")
def _norm(matrix):  # type: ignore[no-untyped-def]
    """Frobenius norm in float64, which holds the square of any float32."""
    total = 0.0
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            total += np.float64(matrix[i, j]) * np.float64(matrix[i, j])
    return np.sqrt(total)


@njit(nogil=True, error_model="numpy")
def _divide(matrix, norm):  # type: ignore[no-untyped-def]
    """Divide by a norm, unless it is zero."""
    if norm > 0:
        for i in range(matrix.shape[0]):
            for j in range(matrix.shape[1]):
                matrix[i, j] = np.float64(matrix[i, j]) / norm


@njit(nogil=True, error_model="numpy")
def _read(flat, w1, w2):  # type: ignore[no-untyped-def]
    """A rule's flat vector into W1 with b1 as its last column, and W2."""
    hidden, columns = w1.shape
    bias, output = hidden * (columns - 1), hidden * columns
    for i in range(hidden):
        for j in range(columns - 1):
            w1[i, j] = flat[i * (columns - 1) + j]
        w1[i, columns - 1] = flat[bias + i]
    for i in range(w2.shape[0]):
        for j in range(hidden):
            w2[i, j] = flat[output + i * hidden + j]


@njit(nogil=True, error_model="numpy")
def _add(flat, w1, w2, rate):  # type: ignore[no-untyped-def]
    """flat += rate · (W1 with b1, W2), in the order of a rule's flat vector."""
    hidden, columns = w1.shape
    bias, output = hidden * (columns - 1), hidden * columns
    for i in range(hidden):
        for j in range(columns - 1):
            flat[i * (columns - 1) + j] += rate * w1[i, j]
        flat[bias + i] += rate * w1[i, columns - 1]
    for i in range(w2.shape[0]):
        for j in range(hidden):
            flat[output + i * hidden + j] += rate * w2[i, j]


@njit(nogil=True, error_model="numpy")
def _step_rule(rule, weights, gradient, rate, taken, state1, state2, betas, refresh_every):  # type: ignore[no-untyped-def]
    """One step of a rule's flat weights. Returns whether gradient and rate are finite; else nothing changes."""
    hidden, columns = state1[4].shape[1:]
    w1 = np.empty((hidden, columns), dtype=np.float32)
    w2 = np.empty((state2[4].shape[1], hidden), dtype=np.float32)
    _read(gradient, w1, w2)
    gradients, norms, states = (w1, w2), (_norm(w1), _norm(w2)), (state1, state2)
    if not (np.isfinite(norms[0]) and np.isfinite(norms[1]) and np.isfinite(rate)):
        return False
    for tensor in range(2):
        # A tensor starts at its first gradient that is not zero: the basis of a zero matrix would say nothing.
        if norms[tensor] > 0 or taken[tensor] > 0:
            _divide(gradients[tensor], norms[tensor])
            left, right, left_basis, right_basis, first, second = states[tensor]
            bases = left_basis[rule], right_basis[rule]
            averages, moments = (left[rule], right[rule]), (first[rule], second[rule])
            _step_tensor(gradients[tensor], averages, bases, moments, taken[tensor], betas, refresh_every)
            taken[tensor] += 1
    _add(weights, w1, w2, -rate)
    return True


def _compiled(sources: str) -> Callable[..., None]:
    """The entry point, cached on disk; compiled anew when `sources` changes (core.codec.simd.cache)."""

    @cached(parallel=True, nogil=True, error_model="numpy")
    def step_rules(  # type: ignore[no-untyped-def]
        weights, gradients, rates, taken, state1, state2, betas, refresh_every, updated
    ):
        """One step of each rule. state1, state2: the six arrays of W1 and W2, in the order of STATE; taken: (G, 2)."""
        _ = sources
        for rule in prange(len(weights)):
            updated[rule] = _step_rule(
                rule, weights[rule], gradients[rule], rates[rule], taken[rule], state1, state2, betas, refresh_every
            )

    return step_rules


_step_rules = _compiled(digest(numba_bases, dense, vectors))
STATE = ("left", "right", "left_basis", "right_basis", "first", "second")


class NumbaSoap:
    """The optimiser's state for `count` rules of one shape, and its step.

    betas: decay of the first moment; and of the second moment and of both averages. refresh_every: steps between
    refreshes of the bases, each by one power iteration.
    """

    def __init__(
        self, shape: RuleShape, count: int, betas: tuple[float, float] = (0.95, 0.95), refresh_every: int = 5
    ) -> None:
        self.shape = shape
        self._betas = (np.float32(betas[0]), np.float32(betas[1]))
        self._refresh_every = refresh_every
        self._taken = np.zeros((count, 2), dtype=np.int64)
        self._w1 = _zero_state(count, shape.hidden, shape.perceived + 1)
        self._w2 = _zero_state(count, shape.channels, shape.hidden)

    @property
    def count(self) -> int:
        """Number of rules."""
        return len(self._taken)

    def step(self, weights: Array, gradients: Array, learning_rates: Array) -> npt.NDArray[np.bool_]:
        """Step each rule against its gradient, changing `weights` (G, parameters) in place; learning_rates: (G,).

        Returns bool (G,): False for a rule whose gradient or learning rate is not finite; its weights and its state
        stay as they are.
        """
        expected = (self.count, self.shape.parameters)
        if weights.shape != expected or gradients.shape != expected or learning_rates.shape != expected[:1]:
            raise ValueError(f"expected weights and gradients {expected} and learning rates {expected[:1]}")
        if weights.dtype != np.float32 or not weights.flags.c_contiguous:
            raise ValueError("weights must be C-contiguous float32, as they are changed in place")
        updated = np.zeros(self.count, dtype=np.bool_)
        gradients = np.ascontiguousarray(gradients, dtype=np.float32)
        rates = np.ascontiguousarray(learning_rates, dtype=np.float32)
        _step_rules(
            weights, gradients, rates, self._taken, self._w1, self._w2, self._betas, self._refresh_every, updated
        )
        return updated

    def keep(self, indices: npt.NDArray[np.integer]) -> None:
        """Go on with these rules only, in this order."""
        self._taken = self._taken[indices]
        self._w1 = tuple(array[indices] for array in self._w1)
        self._w2 = tuple(array[indices] for array in self._w2)

    def export_state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Copies of the state's arrays by name, each with the rules first; for checkpoints."""
        arrays: dict[str, npt.NDArray[np.generic]] = {"taken": self._taken.copy()}
        for tensor, state in (("w1", self._w1), ("w2", self._w2)):
            arrays |= {f"{tensor}_{name}": array.copy() for name, array in zip(STATE, state, strict=True)}
        return arrays

    def import_state(self, arrays: dict[str, npt.NDArray[np.generic]]) -> None:
        """Go on from an exported state of rules of the same shape."""
        w1, w2 = (
            tuple(np.array(arrays[f"{tensor}_{name}"], dtype=np.float32, order="C") for name in STATE)
            for tensor in ("w1", "w2")
        )
        for loaded, present in zip(w1 + w2, self._w1 + self._w2, strict=True):
            if loaded.shape[1:] != present.shape[1:] or len(loaded) != len(arrays["taken"]):
                raise ValueError("the optimizer state is not of this rule shape")
        self._taken = np.array(arrays["taken"], dtype=np.int64, order="C")
        self._w1, self._w2 = w1, w2


def _zero_state(count: int, rows: int, columns: int) -> tuple[Array, ...]:
    """The arrays of STATE for a tensor (rows, columns)."""
    shapes = [(rows, rows), (columns, columns)] * 2 + [(rows, columns)] * 2
    return tuple(np.zeros((count, *shape), dtype=np.float32) for shape in shapes)
