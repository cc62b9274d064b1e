"""What an encode comes down to before anything is trained: its patches, how they grow, which presets are tried."""

from __future__ import annotations

from core.codec.bundle import bundle_size, encodable_fire_rate
from core.codec.engines.base import Rollout
from core.codec.images import Picture
from core.codec.patches import PatchGrid
from core.codec.payload import HEAD_BYTES
from core.codec.presets import PATCH_SIZE, SCHEDULES, Preset
from core.codec.seeds import STEPS
from core.codec.settings import EncodeSettings
from core.errors import BudgetTooSmall

FEWEST_BITS = 3.5
"""Bits a weight costs at the coarsest level, about; tells which presets are too large for a budget."""


def grid_of(picture: Picture) -> PatchGrid:
    """The patches that a picture is cut into."""
    return PatchGrid(picture.height, picture.width, PATCH_SIZE)


def rollout_of(settings: EncodeSettings) -> Rollout:
    """How patches are grown."""
    steps = SCHEDULES[settings.effort].steps or STEPS[settings.seed]
    return Rollout(steps, encodable_fire_rate(settings.fire_rate), settings.seed_number & 0xFFFFFFFF)


def refuse_impossible(picture: Picture, settings: EncodeSettings) -> None:
    """Raises BudgetTooSmall where no bundle of so many patches can be as small as is asked for."""
    presets_of(picture, settings)


def presets_of(picture: Picture, settings: EncodeSettings) -> list[Preset]:
    """The presets that are tried for a patch, smaller ones first. Raises BudgetTooSmall."""
    if not settings.searches:
        return [settings.preset]
    ladder = list(Preset)
    if settings.max_bytes is None:
        return ladder
    patches = grid_of(picture).count
    smallest = bundle_size([HEAD_BYTES + 1] * patches, 1, rollout_of(settings))
    if settings.max_bytes < smallest:
        raise BudgetTooSmall(
            f"{settings.max_bytes} bytes are too few for {patches} patches: no bundle is under {smallest}"
        )
    # Four times a patch's even share: more than that is rarely worth taking away from the others.
    share = 4 * settings.max_bytes / patches
    return [ladder[0], *(p for p in ladder[1:] if p.shape(picture.channels).parameters * FEWEST_BITS / 8 <= share)]
