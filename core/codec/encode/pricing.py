"""How many units the work of an encode has, and what each takes, before anything is encoded.

Of the profile `rules` a unit is a patch. Of `seeds` it is a patch too, of other sizes, or all of the picture where a
target is to be met.
"""

from __future__ import annotations

from regrow.core.codec.encode import plan
from regrow.core.codec.encode.plan import Sized
from regrow.core.codec.encode.seeds import plan as seeds
from regrow.core.codec.format.seeds.bundle import SeedsHeader, seeds_bundle_size
from regrow.core.codec.profile import Profile
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import BudgetTooSmall


def units_of(picture: Sized, settings: EncodeSettings) -> int:
    """How many units the work has."""
    if settings.profile is Profile.SEEDS:
        return seeds.units_of(picture, settings)
    return plan.grid_of(picture).count


def unit_cost(picture: Sized, settings: EncodeSettings) -> float:
    """What a unit takes at most, as core.codec.encode.plan.patch_cost counts it. Raises BudgetTooSmall."""
    if settings.profile is Profile.SEEDS:
        return seeds.unit_cost(picture, settings)
    return plan.patch_cost(picture, settings)


def refuse_impossible(picture: Sized, settings: EncodeSettings) -> None:
    """Raises BudgetTooSmall where it is clear at once that no bundle can be as small as is asked for."""
    if settings.profile is Profile.RULES:
        plan.refuse_impossible(picture, settings)
    elif settings.max_bytes is not None:
        header = SeedsHeader(picture.height, picture.width, picture.channels, 0, seeds.LONGEST, seeds.MODEL)
        patches = header.grid.count
        smallest = seeds_bundle_size(header, [0] * patches)
        if settings.max_bytes < smallest:
            raise BudgetTooSmall(
                f"{settings.max_bytes} bytes are too few for {patches} patches: no bundle is under {smallest}"
            )


def trains(settings: EncodeSettings) -> bool:
    """Whether units are trained: they need an engine, take long, and leave checkpoints. Others do not."""
    return settings.profile is Profile.RULES
