"""What goes through a network on some crops: how large its values get, and how often each symbol comes up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regrow.core.codec.format.seeds.model import FRACTIONS, LOWEST_SCALE_CODE, SCALES
from regrow.core.codec.learn.network import SeedsNetwork
from regrow.core.codec.learn.training import Batch

WIDEST = 256
"""Numbers beyond ±WIDEST are counted as this."""

_STATES_KEPT = 6


@dataclass(slots=True)
class Trace:
    """largest: of each hidden layer, by `law.layer`. states: some that each rule begins with, (channels, h, w).
    counts: int64 (scales, fractions, 2 · WIDEST + 1), how often each distance from the mean came up."""

    largest: dict[str, float] = field(default_factory=dict)
    states: dict[str, list[npt.NDArray[np.float32]]] = field(default_factory=lambda: {"coarse": [], "fine": []})
    counts: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((SCALES, FRACTIONS, 2 * WIDEST + 1), dtype=np.int64)
    )

    def growth(self, name: str, state: Tensor) -> None:
        """A rule begins with these states."""
        kept = self.states[name]
        if not kept or (len(kept) < _STATES_KEPT and kept[0].shape[1] == state.shape[2]):
            kept.append(state[0].numpy().copy())

    def law(self, seeds: Tensor, mean: Tensor, log_scale: Tensor) -> None:
        """Seeds come up where a law expected them so."""
        eighths = torch.round(8 * mean).long()
        nearest = (eighths + 4) >> 3
        fraction = eighths - 8 * nearest
        distance = torch.where(fraction < 0, nearest - seeds.long(), seeds.long() - nearest)
        scale = (torch.round(8 * log_scale).long() + LOWEST_SCALE_CODE).clamp(0, SCALES - 1)
        place = (scale * FRACTIONS + fraction.abs()) * (2 * WIDEST + 1) + distance.clamp(-WIDEST, WIDEST) + WIDEST
        self.counts += np.bincount(place.numpy().ravel(), minlength=self.counts.size).reshape(self.counts.shape)


def traced(network: SeedsNetwork, batches: Sequence[Batch]) -> Trace:
    """Run the batches through the network, and look."""
    trace, handles = Trace(), []
    for name, law in network.laws():
        for layer in range(2):
            handles.append(law.layers[2 * layer + 1].register_forward_hook(_watch(trace, f"{name}.{layer}")))
    network.watch = trace
    with torch.no_grad():
        for batch in batches:
            network(network.quantise(batch.pictures, batch.log_step, batch.levels, batch.rounding), batch.log_step)
    network.watch = None
    for handle in handles:
        handle.remove()
    return trace


def _watch(trace: Trace, name: str) -> Any:
    def hook(_module: Any, _inputs: Any, output: Tensor) -> None:
        trace.largest[name] = max(trace.largest.get(name, 0.0), float(output.max()))

    return hook
