"""SOAP on the CPU: against a plain reimplementation, on a quadratic, and with gradients that would upset it."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regrow.core.codec.fit.optimizers.numba_soap import EPSILON, NumbaSoap
from regrow.core.codec.rule import RuleShape, split

pytestmark = pytest.mark.exact

Array = npt.NDArray[np.float32]
SHAPE = RuleShape(5, 7)
# All four are equal: the squares are multiples of the identity. All values are beside the diagonal, or twelve of 16.
EQUAL_SINGULAR_VALUES = [
    np.fliplr(np.eye(4, dtype=np.float32)),
    0.5 * np.kron([[1, 1], [1, -1]], [[1, 1], [1, -1]]).astype(np.float32),
]


def normal(count: int, seed: int, shape: RuleShape = SHAPE) -> Array:
    return np.random.default_rng(seed).normal(size=(count, shape.parameters)).astype(np.float32)


def rates(count: int, rate: float = 0.01) -> Array:
    return np.full(count, rate, dtype=np.float32)


class PlainSoap:
    """The same algorithm for one tensor, in float64 with numpy's decompositions."""

    def __init__(self) -> None:
        self.taken = 0

    def direction(self, gradient: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        gradient = gradient / np.linalg.norm(gradient)
        squares = gradient @ gradient.T, gradient.T @ gradient
        if self.taken == 0:
            self.averages = [0.05 * square for square in squares]
            self.bases = [np.linalg.eigh(average)[1][:, ::-1] for average in self.averages]
            self.first, self.second = np.zeros_like(gradient), np.zeros_like(gradient)
        else:
            self.averages = [0.95 * a + 0.05 * s for a, s in zip(self.averages, squares, strict=True)]
            if self.taken % 5 == 0:
                self._refresh()
        self.taken += 1
        left, right = self.bases
        self.first = 0.95 * self.first + 0.05 * gradient
        self.second = 0.95 * self.second + 0.05 * (left.T @ gradient @ right) ** 2
        correction = 1 - 0.95**self.taken
        moment = left.T @ self.first @ right / correction
        return left @ (moment / (np.sqrt(self.second / correction) + EPSILON)) @ right.T

    def _refresh(self) -> None:
        orders = []
        for side in (0, 1):
            images = self.averages[side] @ self.bases[side]
            order = np.argsort(-(images * self.bases[side]).sum(axis=0))
            self.bases[side] = np.linalg.qr(images[:, order])[0]
            orders.append(order)
        self.second = self.second[orders[0]][:, orders[1]]


def test_follows_a_plain_reimplementation() -> None:
    # W1 with b1 is square and has full rank from the first step on, so that no eigenvector is arbitrary.
    shape = RuleShape(2, 7, 1)
    rng = np.random.default_rng(0)
    soap, plain = NumbaSoap(shape, 1), PlainSoap()
    weights = np.zeros((1, shape.parameters), dtype=np.float32)
    for _ in range(12):
        gradient = rng.normal(size=(1, shape.parameters)).astype(np.float32)
        before = weights.copy()
        soap.step(weights, gradient, rates(1, 1.0))
        moved, tensors = split(before - weights, shape), split(gradient, shape)
        expected = plain.direction(np.column_stack((tensors.w1[0], tensors.b1[0])).astype(np.float64))
        # The reference keeps what rounding leaves beside the first gradient's diagonal, but works in float64.
        np.testing.assert_allclose(np.column_stack((moved.w1[0], moved.b1[0])), expected, atol=2e-3)


def test_decreases_a_quadratic() -> None:
    optimum, weights = normal(3, 1), normal(3, 2)
    curvature = np.exp(normal(3, 3))
    soap = NumbaSoap(SHAPE, 3)
    start = (curvature * (weights - optimum) ** 2).sum(axis=1)
    for step in range(400):
        assert soap.step(weights, curvature * (weights - optimum), rates(3, 0.03 * (1 - step / 400))).all()
    assert ((curvature * (weights - optimum) ** 2).sum(axis=1) < 1e-2 * start).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 9), st.integers(1, 12), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_any_rank_gives_finite_bounded_steps(channels: int, hidden: int, rank: int, seed: int) -> None:
    """Rank 0 to 3, the same gradient again and again: eigenvalues are zero or repeat."""
    shape = RuleShape(channels, hidden, 1)
    rng = np.random.default_rng(seed)
    columns = shape.perceived + 1
    gradient = np.zeros((1, shape.parameters), dtype=np.float32)
    w1 = rng.normal(size=(hidden, rank)) @ rng.normal(size=(rank, columns))
    gradient[0, : hidden * columns] = np.concatenate((w1[:, :-1].ravel(), w1[:, -1]))
    soap, weights = NumbaSoap(shape, 1), np.zeros((1, shape.parameters), dtype=np.float32)
    for _ in range(12):
        before = weights.copy()
        assert soap.step(weights, gradient, rates(1)).all()
        assert np.linalg.norm(weights - before) <= 0.011 * np.sqrt(shape.parameters)
    assert rank == 0 or (weights * gradient).sum() < 0
    assert (split(weights, shape).w2 == 0).all()


def test_rounding_errors_are_not_blown_up_to_steps() -> None:
    """A rank-1 gradient moves the weights along itself and hardly anywhere else."""
    shape, rng = RuleShape(14, 20), np.random.default_rng(4)
    gradient = np.zeros((1, shape.parameters), dtype=np.float32)
    split(gradient, shape).w1[0] = np.outer(rng.normal(size=20), rng.normal(size=42))
    weights = np.zeros_like(gradient)
    NumbaSoap(shape, 1).step(weights, gradient, rates(1, 1.0))
    along = -(weights * gradient).sum() / np.linalg.norm(gradient)
    assert along == pytest.approx(1.0, abs=1e-3)
    assert np.linalg.norm(weights) < 1.01


@pytest.mark.parametrize("gradient", EQUAL_SINGULAR_VALUES)
def test_equal_singular_values_keep_what_is_beside_the_diagonal(gradient: Array) -> None:
    """Both bases are then the unit vectors, or any others; Adam makes ones of whatever is not zero."""
    shape = RuleShape(4, 4)
    gradients, weights = np.zeros((2, 1, shape.parameters), dtype=np.float32)
    split(gradients, shape).w2[0] = gradient
    NumbaSoap(shape, 1).step(weights, gradients, rates(1, 1.0))
    np.testing.assert_allclose(split(weights, shape).w2[0], -np.sign(gradient), atol=1e-4)


def test_a_tensor_without_gradient_starts_later() -> None:
    """As W1 does: W2 starts at zero, so W1's first gradient is zero."""
    late, fresh = NumbaSoap(SHAPE, 1), NumbaSoap(SHAPE, 1)
    late_weights, fresh_weights = np.zeros((2, 1, SHAPE.parameters), dtype=np.float32)
    late.step(late_weights, np.zeros_like(late_weights), rates(1))
    assert (late_weights == 0).all()
    for seed in range(7):
        late.step(late_weights, normal(1, seed), rates(1))
        fresh.step(fresh_weights, normal(1, seed), rates(1))
    np.testing.assert_array_equal(late_weights, fresh_weights)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_is_skipped_and_harms_no_neighbour(bad: float) -> None:
    healthy, hit = NumbaSoap(SHAPE, 4), NumbaSoap(SHAPE, 4)
    healthy_weights, hit_weights = normal(4, 0), normal(4, 0)
    for step in range(7):
        gradients = normal(4, step)
        assert healthy.step(healthy_weights, gradients, rates(4)).all()
        gradients[2, step] = bad
        assert hit.step(hit_weights, gradients, rates(4)).tolist() == [True, True, False, True]
    np.testing.assert_array_equal(hit_weights[2], normal(4, 0)[2])
    others = [0, 1, 3]
    np.testing.assert_array_equal(hit_weights[others], healthy_weights[others])


def test_huge_and_tiny_gradients_step_alike() -> None:
    results = []
    for scale in (1.0, 2.0**100, 2.0**-100):
        weights = np.zeros((1, SHAPE.parameters), dtype=np.float32)
        NumbaSoap(SHAPE, 1).step(weights, normal(1, 3) * np.float32(scale), rates(1))
        results.append(weights)
    np.testing.assert_allclose(results[1], results[0], atol=1e-6)
    np.testing.assert_allclose(results[2], results[0], atol=1e-6)


def test_numbers_depend_neither_on_the_batch_nor_on_threads() -> None:
    whole, single = NumbaSoap(SHAPE, 5), NumbaSoap(SHAPE, 1)
    weights, alone = normal(5, 0), normal(5, 0)[3:4]
    threads = numba.get_num_threads()
    try:
        for step in range(11):
            numba.set_num_threads(1 + step % 2 * (numba.config.NUMBA_NUM_THREADS - 1))
            whole.step(weights, normal(5, step), rates(5))
            single.step(alone, normal(5, step)[3:4], rates(1))
    finally:
        numba.set_num_threads(threads)
    np.testing.assert_array_equal(weights[3:4], alone)


def test_kept_rules_and_imported_states_go_on_alike() -> None:
    soap, weights = NumbaSoap(SHAPE, 4), normal(4, 0)
    for step in range(8):
        soap.step(weights, normal(4, step), rates(4))
    restored, restored_weights = NumbaSoap(SHAPE, 4), weights.copy()
    restored.import_state(soap.export_state())
    kept = np.array([3, 1])
    soap.keep(kept)
    weights = weights[kept]
    assert soap.count == 2
    for step in range(8, 16):
        restored.step(restored_weights, normal(4, step), rates(4))
        soap.step(weights, normal(4, step)[kept], rates(2))
    np.testing.assert_array_equal(weights, restored_weights[kept])


def test_refuses_states_and_arrays_of_another_shape() -> None:
    soap = NumbaSoap(SHAPE, 2)
    with pytest.raises(ValueError, match="not of this rule shape"):
        soap.import_state(NumbaSoap(RuleShape(5, 8), 2).export_state())
    with pytest.raises(ValueError, match="expected weights"):
        soap.step(normal(3, 0), normal(3, 0), rates(3))
    with pytest.raises(ValueError, match="float32"):
        soap.step(normal(2, 0).astype(np.float64), normal(2, 0), rates(2))  # type: ignore[arg-type]
