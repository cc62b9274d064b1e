"""TorchSoap against a plain float64 SOAP of one matrix, and against bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from regrow.core.codec.fit.optimizers.torch_matrix import EPSILON
from regrow.core.codec.fit.optimizers.torch_orthonormal import orthonormalise
from regrow.core.codec.fit.optimizers.torch_soap import TorchSoap
from regrow.core.codec.rule import RuleShape, split
from tests.unit.core.codec.optimizers.test_numba_soap import EQUAL_SINGULAR_VALUES

pytestmark = pytest.mark.exact

SHAPE = RuleShape(5, 7, 3)
RATES = torch.tensor([0.01, 0.02, 0.005, 0.01])


def sorted_qr(gram: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-np.diag(basis.T @ gram @ basis), kind="stable")
    return np.linalg.qr(gram @ basis[:, order])[0], order


class PlainSoap:
    """Algorithm 3 of the SOAP paper for one matrix, written down a second time, in numpy."""

    def __init__(self) -> None:
        self.steps = 0

    def update(self, gradient: np.ndarray, beta: float = 0.95) -> np.ndarray:
        g = gradient / np.linalg.norm(gradient)
        if self.steps == 0:
            self.m, self.v, self.l, self.r = 0 * g, 0 * g, 0 * (g @ g.T), 0 * (g.T @ g)
        self.steps += 1
        self.m = beta * self.m + (1 - beta) * g
        self.l = beta * self.l + (1 - beta) * g @ g.T
        self.r = beta * self.r + (1 - beta) * g.T @ g
        if self.steps == 1:
            self.ql, self.qr = (np.linalg.eigh(gram)[1][:, ::-1] for gram in (self.l, self.r))
        self.v = beta * self.v + (1 - beta) * (self.ql.T @ g @ self.qr) ** 2
        correction = 1 - beta**self.steps
        mean = self.ql.T @ self.m @ self.qr / correction
        step = self.ql @ (mean / (np.sqrt(self.v / correction) + EPSILON)) @ self.qr.T
        if self.steps % 5 == 0:
            self.ql, rows = sorted_qr(self.l, self.ql)
            self.qr, columns = sorted_qr(self.r, self.qr)
            self.v = self.v[rows][:, columns]
        return step


def random_gradients(seed: int, count: int = 4, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, SHAPE.parameters, generator=generator, dtype=dtype)


def same_states(one: TorchSoap, other: TorchSoap, rules: list[int], other_rules: list[int]) -> bool:
    theirs = other.export_state()
    return all(
        torch.allclose(tensor[rules], theirs[name][other_rules], rtol=1e-5, atol=1e-5)
        for name, tensor in one.export_state().items()
        if name != "iteration"
    )


def test_matches_plain_soap() -> None:
    # Compared on a square W2: one gradient of a wider one leaves some eigenvalues zero, and any basis of their space
    # is right, so that two correct programs may differ.
    shape = RuleShape(4, 4, 3)
    optimizer = TorchSoap(shape, 2, dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    weights = torch.zeros(2, shape.parameters, dtype=torch.float64)
    plain = [PlainSoap(), PlainSoap()]
    expected = np.zeros((2, 4, 4))
    rates = torch.tensor([0.01, 0.03], dtype=torch.float64)
    for _ in range(17):
        gradients = torch.randn(2, shape.parameters, generator=generator, dtype=torch.float64)
        assert optimizer.step(weights, gradients, rates).all()
        for rule in range(2):
            gradient = split(gradients.numpy(), shape).w2[rule]
            expected[rule] -= rates[rule].item() * plain[rule].update(gradient)
    np.testing.assert_allclose(split(weights.numpy(), shape).w2, expected, rtol=1e-6, atol=1e-9)


def test_first_update_of_a_matrix_is_its_polar_factor() -> None:
    # After one gradient U S Vᵀ, Adam turns S into ones: the update is U Vᵀ. b1 is W1's last column.
    optimizer = TorchSoap(SHAPE, 1, dtype=torch.float64)
    weights = torch.zeros(1, SHAPE.parameters, dtype=torch.float64)
    gradients = random_gradients(3, 1, torch.float64)
    optimizer.step(weights, gradients, torch.ones(1, dtype=torch.float64))
    parts, moved = split(gradients.numpy(), SHAPE), split(weights.numpy(), SHAPE)
    gradient = np.concatenate((parts.w1[0], parts.b1[0][:, None]), axis=1)
    update = -np.concatenate((moved.w1[0], moved.b1[0][:, None]), axis=1)
    u, _, vt = np.linalg.svd(gradient, full_matrices=False)
    np.testing.assert_allclose(update, u @ vt, atol=1e-4)


def test_solves_ill_conditioned_least_squares() -> None:
    generator = torch.Generator().manual_seed(4)
    goal = torch.randn(3, SHAPE.parameters, generator=generator)
    scales = torch.logspace(-2, 0, SHAPE.parameters)
    weights = torch.zeros_like(goal)
    optimizer = TorchSoap(SHAPE, 3)
    for iteration in range(400):
        optimizer.step(weights, scales * (weights - goal), torch.full((3,), 0.05 * (1 - iteration / 400)))
    assert ((weights - goal) * scales.sqrt()).norm() < 0.02 * (goal * scales.sqrt()).norm()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 0.0])
@pytest.mark.parametrize("when", [0, 4, 7])
def test_a_bad_rule_stays_and_harms_nobody(bad: float, when: int) -> None:
    optimizer, clean = TorchSoap(SHAPE, 4), TorchSoap(SHAPE, 4)
    weights, clean_weights = torch.zeros(4, SHAPE.parameters), torch.zeros(4, SHAPE.parameters)
    for iteration in range(12):
        gradients = random_gradients(iteration)
        damaged = gradients.clone()
        if iteration == when:
            damaged[1] = bad if bad == 0.0 else damaged[1]
            damaged[1, 17] = bad
        before, state = weights.clone(), optimizer.export_state()
        updated = optimizer.step(weights, damaged, RATES)
        assert clean.step(clean_weights, gradients, RATES).all()
        assert updated.tolist() == [True, iteration != when, True, True]
        if iteration == when:
            assert torch.equal(weights[1], before[1])
            after = optimizer.export_state()
            assert all(torch.equal(after[name][1], tensor[1]) for name, tensor in state.items() if name != "iteration")
    # Not the same bits: their first bases were made in a batch of three.
    assert torch.allclose(weights[[0, 2, 3]], clean_weights[[0, 2, 3]], rtol=1e-5, atol=1e-5)
    assert same_states(optimizer, clean, [0, 2, 3], [0, 2, 3])
    assert weights.isfinite().all()


@pytest.mark.parametrize("shape", [SHAPE, RuleShape(14, 20, 3)], ids=["small", "paper"])
def test_R1_rounding_of_gradients_stays_rounding_of_weights(shape: RuleShape) -> None:
    # Sums are rounded in another order on another processor, or in a batch of another size. Every first gradient here
    # has a lower rank than one of its bases, whose other vectors are then a solver's choice.
    clean, rounded = TorchSoap(shape, 2), TorchSoap(shape, 2)
    weights, rounded_weights = torch.zeros(2, shape.parameters), torch.zeros(2, shape.parameters)
    generator = torch.Generator().manual_seed(6)
    for _ in range(12):
        gradients = torch.randn(2, shape.parameters, generator=generator)
        last_bits = 2.0**-24 * torch.randn(2, shape.parameters, generator=generator)
        assert clean.step(weights, gradients, RATES[:2]).all()
        assert rounded.step(rounded_weights, gradients * (1 + last_bits), RATES[:2]).all()
    assert torch.allclose(weights, rounded_weights, rtol=0, atol=1e-5)


@pytest.mark.parametrize("gradient", EQUAL_SINGULAR_VALUES)
def test_equal_singular_values_keep_what_is_beside_the_diagonal(gradient: np.ndarray) -> None:
    # Both bases are then the unit vectors in some order; Adam makes ones of whatever is not zero.
    shape = RuleShape(4, 4, 3)
    gradients, weights = torch.zeros(2, 1, shape.parameters)
    split(gradients.numpy(), shape).w2[0] = gradient
    TorchSoap(shape, 1).step(weights, gradients, torch.ones(1))
    np.testing.assert_allclose(split(weights.numpy(), shape).w2[0], -np.sign(gradient), atol=1e-4)


def test_bad_weights_and_rates_stay() -> None:
    optimizer = TorchSoap(SHAPE, 4)
    weights = torch.zeros(4, SHAPE.parameters)
    weights[0, 3] = float("nan")
    weights[1, 0] = 3e38
    rates = torch.tensor([0.1, 3e38, float("inf"), 0.1])
    gradients = random_gradients(0)
    gradients[1] = gradients[1].abs() * -1
    assert optimizer.step(weights, gradients, rates).tolist() == [False, False, False, True]
    assert optimizer.export_state()["w2.steps"].tolist() == [0, 0, 0, 1]
    assert weights[0, 3].isnan()
    assert weights[1, 0] == 3e38
    assert not weights[2].any()


def test_a_matrix_without_gradient_waits_for_its_first() -> None:
    # W2 starts at zero, so that the first gradient of W1 and b1 is zero.
    late, fresh = TorchSoap(SHAPE, 1), TorchSoap(SHAPE, 1)
    late_weights, fresh_weights = torch.zeros(1, SHAPE.parameters), torch.zeros(1, SHAPE.parameters)
    w1b1 = SHAPE.hidden * (SHAPE.perceived + 1)
    gradients = random_gradients(5, 1)
    only_w2 = gradients.clone()
    only_w2[:, :w1b1] = 0
    assert late.step(late_weights, only_w2, RATES[:1]).all()
    assert not late_weights[:, :w1b1].any()
    assert late_weights[:, w1b1:].any()
    late.step(late_weights, gradients, RATES[:1])
    fresh.step(fresh_weights, gradients, RATES[:1])
    assert torch.allclose(late_weights[:, :w1b1], fresh_weights[:, :w1b1])


@pytest.mark.parametrize("scale", [1e-37, 1e-25, 1.0, 1e25, 1e37])
def test_gradients_of_any_size_and_rank_are_survived(scale: float) -> None:
    # Rank one, all entries equal: all eigenvalues but one are zero, hence repeated.
    optimizer = TorchSoap(SHAPE, 1)
    weights = torch.zeros(1, SHAPE.parameters)
    for _ in range(11):
        updated = optimizer.step(weights, torch.full((1, SHAPE.parameters), scale), RATES[:1])
    assert updated.item() == (scale > 1e-30)
    assert weights.isfinite().all()
    assert weights.abs().max() < 11 * 0.01 * 3


def test_dropping_rules_keeps_the_others() -> None:
    optimizer, pair = TorchSoap(SHAPE, 4), TorchSoap(SHAPE, 2)
    weights, pair_weights = torch.zeros(4, SHAPE.parameters), torch.zeros(2, SHAPE.parameters)
    chosen = torch.tensor([3, 1])
    for iteration in range(14):
        gradients = random_gradients(iteration)
        if iteration == 6:
            optimizer.keep(chosen)
            weights = weights[chosen]
        if iteration < 6:
            optimizer.step(weights, gradients, RATES)
        else:
            optimizer.step(weights, gradients[chosen], RATES[chosen])
        pair.step(pair_weights, gradients[chosen], RATES[chosen])
    assert torch.allclose(weights, pair_weights, rtol=1e-5, atol=1e-5)


def test_an_imported_state_continues_bit_for_bit() -> None:
    optimizer = TorchSoap(SHAPE, 4)
    weights = torch.zeros(4, SHAPE.parameters)
    for iteration in range(7):
        optimizer.step(weights, random_gradients(iteration), RATES)
    restored, restored_weights = TorchSoap(SHAPE, 1), weights.clone()
    restored.import_state(optimizer.export_state())
    for iteration in range(7, 12):
        optimizer.step(weights, random_gradients(iteration), RATES)
        restored.step(restored_weights, random_gradients(iteration), RATES)
    assert torch.equal(weights, restored_weights)


def test_orthonormalise_equals_qr_up_to_signs_and_survives_rank_deficiency() -> None:
    generator = torch.Generator().manual_seed(0)
    full = torch.randn(6, 9, 9, generator=generator, dtype=torch.float64)
    inner = (orthonormalise(full).mT @ torch.linalg.qr(full).Q).abs()
    assert torch.allclose(inner, torch.eye(9, dtype=torch.float64).expand(6, 9, 9), atol=1e-10)
    poor = torch.stack((torch.zeros(9, 9), torch.ones(9, 9), 1e-25 * torch.eye(9), full[0].float() * 1e-12))
    basis = orthonormalise(poor)
    assert torch.allclose(basis.mT @ basis, torch.eye(9).expand(4, 9, 9), atol=1e-5)
