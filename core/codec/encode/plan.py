"""What an encode in the profile `rules` comes down to before anything is trained: its patches, how they grow, which
presets are tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from regrow.core.codec.format.bundle import bundle_size, encodable_fire_rate
from regrow.core.codec.format.payload import HEAD_BYTES
from regrow.core.codec.patches import PatchGrid
from regrow.core.codec.presets import PATCH_SIZE, SCHEDULES, Preset
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.seeds import STEPS
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import BudgetTooSmall

SEARCH_COARSENESS = (0.7, 1.2, 2.0)
"""Factors of the usual quantisation step sizes with which each preset is rounded where they are chosen per patch: about
5.5, 4.7 and 4 bits a weight."""

FEWEST_BITS = 3.5
"""Bits a weight costs with the largest factor, about; tells which presets are too large for a budget."""


class Sized(Protocol):
    """A picture, of which only its size in pixels and the number of its channels matter."""

    @property
    def height(self) -> int:
        """In pixels."""
        ...

    @property
    def width(self) -> int:
        """In pixels."""
        ...

    @property
    def channels(self) -> int:
        """1 (grey), 3 (RGB) or 4 (RGB and alpha)."""
        ...


@dataclass(frozen=True, slots=True)
class Extent:
    """A picture of which nothing else is known, in pixels. channels: of most pictures."""

    width: int
    height: int
    channels: int = 3


def grid_of(picture: Sized) -> PatchGrid:
    """The patches that a picture is cut into."""
    return PatchGrid(picture.height, picture.width, PATCH_SIZE)


def rollout_of(settings: EncodeSettings) -> Rollout:
    """How patches are grown with these settings: the effort's steps if it has its own, else the seed's."""
    steps = SCHEDULES[settings.effort].steps or STEPS[settings.seed]
    return Rollout(steps, encodable_fire_rate(settings.fire_rate), settings.seed_number & 0xFFFFFFFF)


def refuse_impossible(picture: Sized, settings: EncodeSettings) -> None:
    """Raises BudgetTooSmall where no bundle of so many patches can be as small as is asked for."""
    presets_of(picture, settings)


def presets_of(picture: Sized, settings: EncodeSettings) -> list[Preset]:
    """The presets that are tried for a patch, smaller ones first. Raises BudgetTooSmall."""
    if not settings.searches:
        return [settings.preset]
    every = list(Preset)
    if settings.max_bytes is None:
        return every
    patches = grid_of(picture).count
    smallest = bundle_size([HEAD_BYTES + 1] * patches, 1, rollout_of(settings))
    if settings.max_bytes < smallest:
        raise BudgetTooSmall(
            f"{settings.max_bytes} bytes are too few for {patches} patches: no bundle is under {smallest}"
        )
    # Four times a patch's even share: more than that is rarely worth taking away from the others.
    share = 4 * settings.max_bytes / patches
    return [every[0], *(p for p in every[1:] if p.shape(picture.channels).parameters * FEWEST_BITS / 8 <= share)]


def patch_cost(picture: Sized, settings: EncodeSettings, largest: Preset = Preset.HUGE) -> float:
    """What fitting one patch takes at most, in floating-point operations: tells how many patches make a batch.

    largest: the largest preset that is counted where several are tried.

    A training iteration goes forward once and backward twice through every weight, cell and step. Rounding's are of
    double precision and on the CPU: each takes as long as about four of training.
    """
    schedule, roundings = SCHEDULES[settings.effort], len(coarseness_of(settings))
    presets, every = presets_of(picture, settings), list(Preset)
    if settings.searches:
        presets = [preset for preset in presets if every.index(preset) <= every.index(largest)]
    shapes = [preset.shape(picture.channels) for preset in presets]
    iteration = 3 * 2 * PATCH_SIZE**2 * rollout_of(settings).steps
    return sum(
        schedule.work(shape, roundings) * iteration * shape.parameters + 4 * schedule.rounding_flops(shape, roundings)
        for shape in shapes
    )


def coarseness_of(settings: EncodeSettings) -> tuple[float, ...]:
    """Factors of the usual quantisation step sizes with which each rule is rounded."""
    return SEARCH_COARSENESS if settings.searches else (1.0,)
