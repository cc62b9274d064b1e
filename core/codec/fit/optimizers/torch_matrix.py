"""SOAP's state and arithmetic for one matrix of each of G rules; torch_soap puts a rule together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from regrow.core.codec.fit.optimizers.torch_orthonormal import orthonormalise

# Added to the root of Adam's second moment. Gradients come with Frobenius norm 1, and rotating one in float32 leaves
# noise of about 1e-8, which a smaller value would blow up to full steps.
EPSILON = 1e-6
# A matrix whose largest gradient is below this counts as having none; dividing by it could overflow.
SMALLEST_GRADIENT = 1e-30
# An eigenvalue this much smaller than the largest is float32's noise in the gradient: its square root is 1e-4.
NEGLIGIBLE = 1e-8
# Of the largest value: what rotating a gradient in float32 leaves where there is nothing is about 1e-7.
NOISE = 1e-5


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a step would do to one matrix of each rule.

    active: bool (G,), False where the gradient is zero; update: (G, m, n), to be multiplied by the learning rate and
    subtracted, zero where not active; state: the state after the step, valid where active.
    """

    active: Tensor
    update: Tensor
    state: dict[str, Tensor]


class MatrixSoap:
    """SOAP for G matrices of m rows and n columns.

    state: `momentum` (G, m, n), the mean gradient, not rotated; `second` (G, m, n), the mean squared rotated gradient;
    `left` (G, m, m) and `right` (G, n, n), the means of g·gᵀ and gᵀ·g; `left_basis`, `right_basis`, their eigenvectors
    as columns, most important first; `steps` int64 (G,), the updates so far, 0 for a matrix without a basis.
    """

    def __init__(
        self, count: int, rows: int, columns: int, betas: tuple[float, float], device: torch.device, dtype: torch.dtype
    ) -> None:
        self._beta1, self._beta2 = betas
        sizes = {"momentum": (rows, columns), "second": (rows, columns), "left": (rows, rows)}
        sizes |= {"right": (columns, columns), "left_basis": (rows, rows), "right_basis": (columns, columns)}
        self.state = {name: torch.zeros(count, *size, device=device, dtype=dtype) for name, size in sizes.items()}
        self.state["steps"] = torch.zeros(count, device=device, dtype=torch.int64)
        self._diagonal = torch.eye(rows, columns, device=device, dtype=torch.bool)
        self._basis_missing = True

    def propose(self, gradients: Tensor, refresh: bool) -> Proposal:
        """The step for finite `gradients` (G, m, n); nothing changes until commit."""
        old = self.state
        gradients, active = normalised(gradients)
        new = {
            "momentum": torch.lerp(gradients, old["momentum"], self._beta1),
            "left": torch.lerp(gradients @ gradients.mT, old["left"], self._beta2),
            "right": torch.lerp(gradients.mT @ gradients, old["right"], self._beta2),
            "steps": old["steps"] + 1,
        }
        left_basis, right_basis = self._bases(gradients, active)
        rotated = left_basis.mT @ gradients @ right_basis
        noise = self._noise(rotated)
        rotated = rotated.masked_fill(noise, 0)
        second = torch.lerp(rotated.square(), old["second"], self._beta2)
        powers = new["steps"].to(gradients.dtype)[:, None, None]
        mean = (left_basis.mT @ new["momentum"] @ right_basis).masked_fill(noise, 0) / (1 - self._beta1**powers)
        deviation = (second / (1 - self._beta2**powers)).sqrt()
        update = left_basis @ (mean / (deviation + EPSILON)) @ right_basis.mT
        if refresh:
            left_basis, order = turned_basis(new["left"], left_basis)
            second = second.gather(1, order[:, :, None].expand_as(second))
            right_basis, order = turned_basis(new["right"], right_basis)
            second = second.gather(2, order[:, None, :].expand_as(second))
        new |= {"second": second, "left_basis": left_basis, "right_basis": right_basis}
        return Proposal(active, torch.where(active[:, None, None], update, 0), new)

    def commit(self, proposal: Proposal, updated: Tensor) -> None:
        """Take over the proposed state where `updated` bool (G,) and the matrix was active."""
        chosen = proposal.active & updated
        for name, old in self.state.items():
            mask = chosen.view(-1, *[1] * (old.dim() - 1))
            self.state[name] = torch.where(mask, proposal.state[name], old)

    def keep(self, indices: Tensor) -> None:
        """Drop all matrices but `indices`."""
        chosen = torch.as_tensor(indices, device=self.state["steps"].device)
        self.state = {name: tensor[chosen] for name, tensor in self.state.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over copies of all tensors of `state`."""
        self.state = {name: state[name].to(own.device, own.dtype, copy=True) for name, own in self.state.items()}
        self._basis_missing = True

    def _noise(self, rotated: Tensor) -> Tensor:
        """Of each first gradient, what is beside the diagonal and small: bool (G, m, n).

        In the bases made of it a gradient has nothing beside its diagonal but rounding errors, of which Adam would make
        steps. But where singular values are equal, any bases of their spaces are eigenvectors, and the two sides' need
        not match: what is beside the diagonal then is the gradient itself.
        """
        sizes = rotated.abs()
        small = sizes < NOISE * sizes.amax(dim=(1, 2), keepdim=True)
        return (self.state["steps"] == 0)[:, None, None] & small & ~self._diagonal

    def _bases(self, gradients: Tensor, active: Tensor) -> tuple[Tensor, Tensor]:
        """The bases to rotate by; those of matrices with their first gradient come from that gradient."""
        left_basis, right_basis = self.state["left_basis"], self.state["right_basis"]
        if not self._basis_missing:
            return left_basis, right_basis
        missing = self.state["steps"] == 0
        self._basis_missing = bool(missing.any())
        first = (missing & active).nonzero().flatten()
        if len(first):
            chosen = gradients[first]
            left_basis = left_basis.index_copy(0, first, eigenbasis(chosen))
            right_basis = right_basis.index_copy(0, first, eigenbasis(chosen.mT))
        return left_basis, right_basis


def normalised(gradients: Tensor) -> tuple[Tensor, Tensor]:
    """Finite (G, m, n) matrices scaled to Frobenius norm 1, and bool (G,), False for those that are zero.

    Scaled by the largest value first, so that neither very large nor very small squares leave float32's range.
    """
    peaks = gradients.abs().amax(dim=(1, 2), keepdim=True)
    active = peaks > SMALLEST_GRADIENT
    scaled = torch.where(active, gradients / torch.where(active, peaks, 1), 0)
    norms = scaled.square().sum(dim=(1, 2), keepdim=True).sqrt()
    return scaled / torch.where(active, norms, 1), active.flatten()


def eigenbasis(gradients: Tensor) -> Tensor:
    """Eigenvectors of g·gᵀ, as columns, largest eigenvalue first, of normalised g (G, m, n); (G, m, m).

    Where g has a lower rank than m, any vectors at right angles to the others are eigenvectors, and which ones a solver
    returns depends on rounding, hence on the processor and on who else is in the batch; Adam's steps in them differ
    visibly. So the solver's are dropped, and a Householder basis of the others is completed by what it leaves of the
    unit vectors, which varies smoothly with g.
    """
    wide = gradients.double()
    values, vectors = torch.linalg.eigh(wide @ wide.mT)
    values, vectors = values.flip(1), vectors.flip(2)
    meant = values > NEGLIGIBLE * values[:, :1]
    return orthonormalise(torch.where(meant[:, None, :], vectors, 0)).to(gradients.dtype)


def turned_basis(matrices: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """One power iteration of `basis` (G, k, k) towards the eigenvectors of `matrices`, largest eigenvalue first.

    Also the order (G, k) by which the old columns were sorted first: the old column order[i] became column i.
    """
    product = matrices @ basis
    order = (basis * product).sum(dim=1).argsort(dim=1, descending=True, stable=True)
    return orthonormalise(product.gather(2, order[:, None, :].expand_as(product))), order
