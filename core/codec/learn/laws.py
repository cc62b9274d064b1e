"""The context laws: what each seed is expected to be, from what is known before it, and what it then costs."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from regrow.core.codec.format.seeds.contexts import AROUND, CAUSAL, INPUT_BITS, INPUT_LIMIT, squash_table
from regrow.core.codec.format.seeds.model import DETAIL_SCALES, LOWEST_SCALE_CODE, SCALES

LOWEST_SCALE, HIGHEST_SCALE, HIGHEST_LOW_PASS_SCALE = (
    (number - LOWEST_SCALE_CODE) / 8 for number in (0, DETAIL_SCALES - 1, SCALES - 1)
)
"""Natural logarithms of a law's scale: -3, 4 and 7."""

UNIT = 2.0**-INPUT_BITS


class Law(nn.Module):
    """A network of two hidden layers, applied at every place: (G, inputs, h, w) to mean and log-scale, (G, h, w)."""

    def __init__(self, inputs: int, widths: tuple[int, int]) -> None:
        super().__init__()
        first, second = widths
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, first, 1), nn.ReLU(), nn.Conv2d(first, second, 1), nn.ReLU(), nn.Conv2d(second, 2, 1)
        )
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.layers[-1].bias)  # type: ignore[arg-type]

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        out = self.layers(inputs)
        return out[:, 0], out[:, 1]


@functools.lru_cache(maxsize=4)
def _squash_table(device: torch.device) -> Tensor:
    return torch.from_numpy(squash_table().copy()).to(device) * UNIT


def squash(seeds: Tensor) -> Tensor:
    """sign · ln(1 + |seed|) / 2 of whole numbers, as the decoder's table has it."""
    table = _squash_table(seeds.device)
    return torch.sign(seeds) * table[seeds.abs().clamp_max(len(table) - 1).long()]


def as_input(values: Tensor) -> Tensor:
    """Values as the decoder's law networks see them: in units of 2 ** -INPUT_BITS, limited. Gradients pass."""
    limited = values.clamp(-INPUT_LIMIT * UNIT, INPUT_LIMIT * UNIT)
    return limited + (torch.round(limited / UNIT) * UNIT - limited).detach()


def neighbours(planes: Tensor, places: Sequence[tuple[int, int]]) -> Tensor:
    """(G, h, w) at (rows, columns) from every place, zero outside; (G, len(places), h, w)."""
    height, width = planes.shape[-2:]
    padded = nn.functional.pad(planes, (2, 2, 2, 2))
    return torch.stack([padded[:, 2 + y : 2 + y + height, 2 + x : 2 + x + width] for y, x in places], 1)


def causal(planes: Tensor) -> Tensor:
    """The neighbours in a seed's own band."""
    return neighbours(planes, CAUSAL)


def around(planes: Tensor) -> Tensor:
    """The neighbours in another band."""
    return neighbours(planes, AROUND)


def code_length(seeds: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Bits of whole numbers under a Laplace law, by its tails: exact, with gradients far out."""
    scale, distance = torch.exp(log_scale), (seeds - mean).abs()
    near = distance.clamp_max(0.5)
    far_nats = (distance - 0.5) / scale - torch.log((1 - torch.exp(-1 / scale)).clamp_min(1e-30) / 2)
    both_tails = 0.5 * (torch.exp(-(0.5 - near) / scale) + torch.exp(-(0.5 + near) / scale))
    near_nats = -torch.log((1 - both_tails).clamp_min(1e-12))
    return torch.where(distance > 0.5, far_nats, near_nats) / math.log(2)
