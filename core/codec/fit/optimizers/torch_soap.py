"""SOAP for many rules at once: Adam in the eigenbasis of Shampoo's preconditioner, on any torch device.

Source: Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam" (2024), algorithm 3, with the sorted power
iteration of its algorithm 4. Differences: every matrix's gradient is first divided by its Frobenius norm; the
eigenbasis comes from a matrix's first gradient that is not zero, and that gradient already makes an update.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from regrow.core.codec.fit.optimizers.torch_matrix import MatrixSoap, Proposal
from regrow.core.codec.rule import RuleShape, tensor_slices


class TorchSoap:
    """The optimizer's state of `count` rules of one shape.

    No rule's numbers enter another's. In a batch of another size they may be rounded differently, as matrix libraries
    choose their kernels by it: a rule then takes the same steps but for the last bits.

    A rule has two matrices: W1 with b1 as an extra column, (hidden, 3·channels + 1), and W2, (channels, hidden).
    """

    def __init__(
        self,
        shape: RuleShape,
        count: int,
        device: str | torch.device = "cpu",
        betas: tuple[float, float] = (0.95, 0.95),
        refresh_every: int = 5,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.shape = shape
        self.refresh_every = refresh_every
        self.iteration = 0
        sizes = {"w1b1": (shape.hidden, shape.perceived + 1), "w2": (shape.channels, shape.hidden)}
        self._matrices = {
            name: MatrixSoap(count, rows, columns, betas, torch.device(device), dtype)
            for name, (rows, columns) in sizes.items()
        }

    @property
    def count(self) -> int:
        """Number of rules."""
        return len(self._matrices["w2"].state["steps"])

    def step(self, weights: Tensor, gradients: Tensor, learning_rates: Tensor) -> Tensor:
        """One update of `weights` (G, parameters) in place; bool (G,), True where the rule was updated.

        gradients: (G, parameters); learning_rates: (G,). A rule is not updated, and its state stays as it was, where
        its gradients are all zero, or where its gradients, weights, learning rate or new weights are not finite. A
        matrix with a zero gradient stays, with its state, as it is. No wait for the device once all bases are set.
        """
        self.iteration += 1
        refresh = self.iteration % self.refresh_every == 0
        sound = gradients.isfinite().all(dim=1) & weights.isfinite().all(dim=1) & learning_rates.isfinite()
        safe = torch.where(sound[:, None], gradients, 0)
        proposals = {
            name: self._matrices[name].propose(matrix, refresh) for name, matrix in self._to_matrices(safe).items()
        }
        rates = torch.where(sound, learning_rates, 0)[:, None]
        updated_weights = weights - rates * self._to_flat({name: item.update for name, item in proposals.items()})
        moving = torch.stack([proposal.active for proposal in proposals.values()]).any(dim=0)
        updated = sound & moving & updated_weights.isfinite().all(dim=1)
        weights.copy_(torch.where(updated[:, None], updated_weights, weights))
        self._commit(proposals, updated)
        return updated

    def keep(self, indices: Tensor) -> None:
        """Drop all rules but `indices` (1-D, of integers), which are then numbered in this order."""
        for matrix in self._matrices.values():
            matrix.keep(indices)

    def export_state(self) -> dict[str, Tensor]:
        """Everything that a checkpoint needs, as copies on the CPU, by name, with the rules first."""
        state = {"iteration": torch.full((self.count,), self.iteration)}
        for name, matrix in self._matrices.items():
            for field, tensor in matrix.state.items():
                state[f"{name}.{field}"] = tensor.detach().cpu().clone()
        return state

    def import_state(self, state: Mapping[str, Tensor]) -> None:
        """Continue from an exported state, of one or more rules of this shape."""
        self.iteration = int(state["iteration"][0])
        for name, matrix in self._matrices.items():
            matrix.load({field: torch.as_tensor(state[f"{name}.{field}"]) for field in matrix.state})

    def _commit(self, proposals: dict[str, Proposal], updated: Tensor) -> None:
        for name, proposal in proposals.items():
            self._matrices[name].commit(proposal, updated)

    def _to_matrices(self, flat: Tensor) -> dict[str, Tensor]:
        w1, b1, w2 = (flat[:, part] for part in tensor_slices(self.shape))
        w1b1 = torch.cat((w1.reshape(-1, self.shape.hidden, self.shape.perceived), b1.unsqueeze(2)), dim=2)
        return {"w1b1": w1b1, "w2": w2.reshape(-1, self.shape.channels, self.shape.hidden)}

    def _to_flat(self, matrices: Mapping[str, Tensor]) -> Tensor:
        w1b1, w2 = matrices["w1b1"], matrices["w2"]
        return torch.cat((w1b1[:, :, :-1].flatten(1), w1b1[:, :, -1], w2.flatten(1)), dim=1)
