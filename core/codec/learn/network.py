"""The model of the profile `seeds` in floats: from seeds to a picture and to what the seeds cost.

What the integer decoder (core.codec.decode.seeds) does, differentiable; docs/adr/0011-seeds.md has the reasons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from regrow.core.codec.format.seeds.contexts import BANDS
from regrow.core.codec.format.seeds.model import inputs_of_detail, inputs_of_low_pass
from regrow.core.codec.learn import laws
from regrow.core.codec.learn.growth import grow
from regrow.core.codec.learn.laws import Law, as_input, code_length, squash
from regrow.core.codec.learn.rules import rounded_rule
from regrow.core.codec.learn.shape import COLOURS, ModelShape
from regrow.core.codec.learn.wavelet import forward, inverse, to_opponent, to_rgb
from regrow.core.codec.rule import RuleShape, tensor_slices

MOST_DRAWN = 0.3


@dataclass(frozen=True, slots=True)
class Grown:
    """picture: RGB (G, 3, h, w). bits: (G,), of all seeds."""

    picture: Tensor
    bits: Tensor


class Watch(Protocol):
    """Sees what a network does."""

    def growth(self, name: str, state: Tensor) -> None:
        """The rule `coarse` or `fine` begins with a state."""
        ...

    def law(self, seeds: Tensor, mean: Tensor, log_scale: Tensor) -> None:
        """Seeds, and what their laws said before."""
        ...


class SeedsNetwork(nn.Module):
    """Two rules, one law for each colour and band, and the few constants that tie scales together."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.shape = shape
        self.watch: Watch | None = None
        channels, hidden = shape.channels, shape.hidden_channels
        self.coarse = nn.Parameter(_first_weights(RuleShape(channels, shape.coarse)))
        self.fine = nn.Parameter(_first_weights(RuleShape(channels, shape.fine)))
        self.low_pass = nn.ModuleList(Law(inputs_of_low_pass(colour), shape.widths) for colour in range(COLOURS))
        self.details = nn.ModuleList(
            nn.ModuleList(Law(self._detail_inputs(colour, band), shape.widths) for band in range(len(BANDS)))
            for colour in range(COLOURS)
        )
        self.inject = nn.Parameter(torch.randn(COLOURS * len(BANDS), hidden) * 0.05)
        self.start = nn.Parameter(torch.zeros(3, hidden))
        self.tell = nn.Parameter(torch.zeros(3, hidden))
        self.shrink = nn.Parameter(torch.full((len(BANDS), COLOURS), -1.0))

    def _detail_inputs(self, colour: int, band: int) -> int:
        channels = self.shape.channels
        return inputs_of_detail(colour, band, channels) if self.shape.contexts else channels + 2

    def quantise(self, picture: Tensor, log_step: Tensor, levels: int, rounding: float) -> list[Tensor]:
        """The seeds of RGB pictures: low-pass (G, 3, h, w), then HL, LH, HH of each scale, coarse to fine, flat.

        rounding: what is added to a detail's size before it is cut to a whole number.
        """
        step, planes = torch.exp2(log_step).view(-1, 1, 1, 1), to_opponent(picture)
        scales: list[list[Tensor]] = []
        for _ in range(levels):
            planes, details = forward(planes)
            scales.append([torch.sign(band) * torch.floor(band.abs() / step + rounding) for band in details])
        return [torch.round(planes / step), *(band for bands in reversed(scales) for band in bands)]

    def forward(self, seeds: list[Tensor], log_step: Tensor) -> Grown:
        """Grow seeds; log_step: log2 of the quantisation step size, (G,)."""
        levels = (len(seeds) - 1) // len(BANDS)
        low = seeds[0]
        size = low.shape[-2:]
        bits = self._low_pass_bits(low, log_step, levels)
        step = torch.exp2(log_step).view(-1, 1, 1, 1)
        hidden = self._constants(self.start, log_step, levels).expand(-1, -1, *size)
        state = torch.cat([low * step * 2.0**-levels, hidden], 1)
        parents = [torch.zeros_like(low) for _ in BANDS]
        for place in range(levels):
            bands = seeds[1 + len(BANDS) * place : 1 + len(BANDS) * (place + 1)]
            level = levels - place
            state = self._grown("coarse", state)
            bits = bits + self._detail_bits(state, bands, parents, log_step, level)
            size = state.shape[-2:]
            state = self._next_scale(state, bands, log_step, level)
            parents = [_repeated(_cell_sized(band, size), state) for band in bands]
        state = self._grown("fine", state)
        return Grown(to_rgb(state[:, :COLOURS]), bits)

    def laws(self) -> list[tuple[str, Law]]:
        """All law networks by their names in a model's file."""
        names = [f"low.{colour}" for colour in range(COLOURS)]
        names += [f"detail.{colour}.{band}" for colour in range(COLOURS) for band in range(len(BANDS))]
        found = [law for law in self.modules() if isinstance(law, Law)]
        return list(zip(names, found, strict=True))

    def _grown(self, name: str, state: Tensor) -> Tensor:
        if self.watch is not None:
            self.watch.growth(name, state)
        weights, shape, steps = self.rules()[name]
        # Grown as the decoder will, with weights of eight bits; gradients pass as if they were not rounded.
        rounded = torch.from_numpy(rounded_rule(weights, shape).weights).to(weights.device)
        return grow(state, weights + (rounded - weights).detach(), shape, steps)

    def _cost(self, seeds: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
        if self.watch is not None:
            self.watch.law(seeds, mean, log_scale)
        return code_length(seeds, mean, log_scale).flatten(1).sum(1)

    def rules(self) -> dict[str, tuple[Tensor, RuleShape, int]]:
        """Both rules by their names in a model's file: weights, sizes, and how many updates they make."""
        shape = self.shape
        return {
            "coarse": (self.coarse, RuleShape(shape.channels, shape.coarse), shape.coarse_steps),
            "fine": (self.fine, RuleShape(shape.channels, shape.fine), shape.fine_steps),
        }

    def drawn(self) -> Tensor:
        """How much nearer to zero than its number a seed stands, below MOST_DRAWN; (bands, colours)."""
        return MOST_DRAWN * torch.sigmoid(self.shrink)

    def _where(self, log_step: Tensor, level: int) -> Tensor:
        """What every law and rule is told: the step size and the level; (G, 2)."""
        return torch.stack([(log_step + 3.5) / 2, torch.full_like(log_step, (level - 2) / 2)], 1)

    def _constants(self, weights: Tensor, log_step: Tensor, level: int) -> Tensor:
        known = self._where(log_step, level)
        return (weights[0] + known[:, :1] * weights[1] + known[:, 1:] * weights[2])[:, :, None, None]

    def _low_pass_bits(self, low: Tensor, log_step: Tensor, levels: int) -> Tensor:
        """Neighbours as differences from what the place is guessed to be, all in the range of pixels, times 4."""
        count, _, height, width = low.shape
        unit = torch.exp2(log_step + 2 - levels).view(-1, 1, 1)
        where = as_input(self._where(log_step, levels))[:, :, None, None].expand(-1, -1, height, width)
        inside = laws.causal(torch.ones_like(low[:, 0]))
        guesses: list[Tensor] = []
        bits = low.new_zeros(count)
        for colour, law in enumerate(self.low_pass):
            plane = low[:, colour]
            guess = guessed(plane)
            own = (laws.causal(plane) - guess[:, None]) * inside
            known = [own, guess[:, None]]
            for before in range(colour):
                seen = laws.around(low[:, before]) - guesses[before][:, None]
                known.append(seen * laws.around(torch.ones_like(plane)))
            inputs = [as_input(each * unit[:, None]) for each in known]
            mean, scale = law(torch.cat([*inputs, where], 1))
            log_scale = scale - torch.log(unit)
            log_scale = log_scale.clamp(laws.LOWEST_SCALE, laws.HIGHEST_LOW_PASS_SCALE)
            bits = bits + self._cost(plane, guess + mean / unit, log_scale)
            guesses.append(guess)
        return bits

    def _detail_bits(
        self, state: Tensor, bands: list[Tensor], parents: list[Tensor], log_step: Tensor, level: int
    ) -> Tensor:
        size = state.shape[-2:]
        where = as_input(self._where(log_step, level))[:, :, None, None].expand(-1, -1, *size)
        seen = as_input(state)
        squashed = [squash(_cell_sized(band, size)) for band in bands]
        above = [squash(parent) for parent in parents]
        bits = state.new_zeros(len(state))
        for colour in range(COLOURS):
            for band in range(len(BANDS)):
                law = self.details[colour][band]  # type: ignore[index]
                known = [seen, where]
                if self.shape.contexts:
                    own = [laws.around(squashed[other][:, colour]) for other in range(band)]
                    others = [laws.around(squashed[band][:, other]) for other in range(colour)]
                    parent = laws.around(above[band][:, colour])
                    known = [laws.causal(squashed[band][:, colour]), *own, *others, parent, *known]
                mean, scale = law(torch.cat(known, 1))
                height, width = bands[band].shape[-2:]
                log_scale = scale[:, :height, :width].clamp(laws.LOWEST_SCALE, laws.HIGHEST_SCALE)
                bits = bits + self._cost(bands[band][:, colour], mean[:, :height, :width], log_scale)
        return bits

    def _next_scale(self, state: Tensor, bands: list[Tensor], log_step: Tensor, level: int) -> Tensor:
        step = torch.exp2(log_step).view(-1, 1, 1, 1) * 2.0 ** -(level - 1)
        details = [
            (band - torch.sign(band) * drawn.view(1, -1, 1, 1)) * step
            for band, drawn in zip(bands, self.drawn(), strict=True)
        ]
        picture = inverse(state[:, :COLOURS] * 2.0, (details[0], details[1], details[2]))
        squashed = torch.cat([squash(_cell_sized(band, state.shape[-2:])) for band in bands], 1)
        told = torch.einsum("gjhw,jc->gchw", squashed, self.inject)
        hidden = nn.functional.interpolate(
            state[:, COLOURS:] + told, scale_factor=2, mode="bilinear", align_corners=False
        )[:, :, : picture.shape[-2], : picture.shape[-1]]
        return torch.cat([picture, hidden + self._constants(self.tell, log_step, level - 1)], 1)


def _first_weights(shape: RuleShape) -> Tensor:
    weights = torch.zeros(shape.parameters)
    w1, _, w2 = tensor_slices(shape)
    weights[w1] = (torch.rand(w1.stop) * 2 - 1) / math.sqrt(shape.perceived)
    weights[w2] = torch.randn(w2.stop - w2.start) * 0.01
    return weights


def guessed(plane: Tensor) -> Tensor:
    """The mean of the seeds at the left and above, rounded down; where one is missing the other, else 0."""
    left = nn.functional.pad(plane, (1, 0))[..., :-1]
    above = nn.functional.pad(plane, (0, 0, 1, 0))[..., :-1, :]
    guess = torch.floor((left + above) / 2)
    guess[..., 0, :] = left[..., 0, :]
    guess[..., :, 0] = above[..., :, 0]
    return guess


def _cell_sized(band: Tensor, size: torch.Size) -> Tensor:
    """A band with zeros where, at an odd side, the scale has a cell more."""
    return nn.functional.pad(band, (0, size[1] - band.shape[-1], 0, size[0] - band.shape[-2]))


def _repeated(band: Tensor, state: Tensor) -> Tensor:
    """A band's seeds for each of the cells of the next scale that lie on them."""
    height, width = state.shape[-2:]
    return band.repeat_interleave(2, -2).repeat_interleave(2, -1)[..., :height, :width]
