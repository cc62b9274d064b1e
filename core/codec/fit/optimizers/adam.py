"""Adam (Kingma and Ba, 2014), as the paper's training loop uses it, for many rules at once."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class Adam:
    """PyTorch's default betas and epsilon, which the paper does not change. Every number is worked alone, so a rule's
    result depends neither on its neighbours nor on the number of threads."""

    def __init__(self, parameters: int, count: int, device: str | torch.device = "cpu") -> None:
        self._first = torch.zeros(count, parameters, device=device)
        self._second = torch.zeros(count, parameters, device=device)
        self._taken = torch.zeros(count, 1, device=device)

    def step(self, weights: Tensor, gradients: Tensor, learning_rates: Tensor) -> Tensor:
        """Change `weights` (G, parameters) in place, against the gradients, at rates (G,).

        Returns bool (G,): False for a rule whose gradient or rate is not finite, which stays, with its state, as it is.
        """
        sound = gradients.isfinite().all(dim=1) & learning_rates.isfinite()
        chosen = sound[:, None]
        safe = torch.where(chosen, gradients, 0)
        self._first = torch.where(chosen, BETAS[0] * self._first + (1 - BETAS[0]) * safe, self._first)
        self._second = torch.where(chosen, BETAS[1] * self._second + (1 - BETAS[1]) * safe**2, self._second)
        self._taken += chosen
        first, second = self._first / self._weight(BETAS[0]), self._second / self._weight(BETAS[1])
        update = learning_rates[:, None] * first / (second.sqrt() + EPSILON)
        weights.copy_(torch.where(chosen, weights - update, weights))
        return sound

    def _weight(self, beta: float) -> Tensor:
        """Of all gradients so far in a mean that began at zero; (G, 1).

        In float64, then rounded: a float32 power comes out in other last bits where it falls outside a full vector.
        """
        return (1 - beta ** self._taken.double()).to(self._taken.dtype).clamp(min=EPSILON)

    def keep(self, indices: Tensor) -> None:
        """Drop all rules but `indices`, which are then numbered in this order."""
        self._first, self._second, self._taken = self._first[indices], self._second[indices], self._taken[indices]

    def export_state(self) -> dict[str, Tensor]:
        """Everything that a checkpoint needs, as copies on the CPU, by name, with the rules first."""
        state = {"first": self._first, "second": self._second, "taken": self._taken}
        return {name: tensor.cpu().clone() for name, tensor in state.items()}

    def import_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from an exported state, of any number of rules of this size."""
        device = self._first.device
        self._first, self._second, self._taken = (
            state[name].to(device, copy=True) for name in ("first", "second", "taken")
        )
