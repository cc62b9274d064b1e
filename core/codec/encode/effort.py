"""Which effort a picture gets where nobody says: the method at its best within about a minute, or a draft.

The picture and the settings alone decide, and not the machine, so the same request gives the same bundle everywhere.
"""

from __future__ import annotations

from dataclasses import replace

from regrow.core.codec.encode.plan import Sized, grid_of, patch_cost
from regrow.core.codec.encode.pricing import trains, unit_cost, units_of
from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.settings import EncodeSettings

ENOUGH_SECONDS = 60.0
"""Seconds that an encode may take for which nobody named an effort."""

COST_PER_SECOND = 1e11
"""Of core.codec.encode.plan.patch_cost, about: two cores of a Xeon at 2.5 GHz fit and round a patch of preset small at
effort standard in 4.4 to 5.9 s (`regrow bench quality`, docs/results), which is 0.9 to 1.3e11."""

TYPICAL = Preset.MEDIUM
"""Preset at which a patch has reached a target PSNR, about, so that no larger one is tried: preset small comes to 32 dB
on scikit-image's astronaut. With max_bytes, all are tried that fit."""

_BETTER = {
    Effort.DRAFT: (Effort.STANDARD, "about 4 dB more"),
    Effort.STANDARD: (Effort.THOROUGH, "a little more"),
}
"""The next effort, and what it gives in as many bytes, about: scikit-image's astronaut at 120×120, preset small, comes
to 28.1 dB in 6533 bytes as a draft, to 32.2 dB in 6526 at standard."""


def encode_seconds(picture: Sized, settings: EncodeSettings) -> float:
    """How long an encode takes on two cores, about, if a target is not hard to reach. Raises BudgetTooSmall."""
    if not trains(settings):
        return most_seconds(picture, settings)
    largest = Preset.HUGE if settings.target_psnr is None else TYPICAL
    return grid_of(picture).count * patch_cost(picture, settings, largest) / COST_PER_SECOND


def most_seconds(picture: Sized, settings: EncodeSettings) -> float:
    """How long it takes where every patch needs every preset. Raises BudgetTooSmall."""
    return units_of(picture, settings) * unit_cost(picture, settings) / COST_PER_SECOND


def with_default_effort(picture: Sized, settings: EncodeSettings) -> EncodeSettings:
    """The settings with the effort that suits the picture. Raises BudgetTooSmall."""
    standard = replace(settings, effort=Effort.STANDARD)
    if not trains(settings) or encode_seconds(picture, standard) <= ENOUGH_SECONDS:
        return standard
    return replace(settings, effort=Effort.DRAFT)


def advice(picture: Sized, settings: EncodeSettings) -> str:
    """In a line: the effort that was chosen, how long it takes, and what the next one would give for how much more."""
    better, gain = _BETTER[settings.effort]
    if settings.target_psnr is not None:
        gain = "a smaller file"
    elif settings.max_bytes is not None:
        gain = "a better picture"
    profile = "" if trains(settings) else f"profile {settings.profile}, "
    chosen = f"{profile}effort {settings.effort}, {_time_of(picture, settings)} on two cores"
    longer = _time_of(picture, replace(settings, effort=better))
    return f"{chosen}; --effort {better}: {longer}, for {gain}"


def _time_of(picture: Sized, settings: EncodeSettings) -> str:
    time = _about(encode_seconds(picture, settings))
    if not trains(settings):
        return time
    if settings.target_psnr is not None:
        return f"{time}, at most {_about(most_seconds(picture, settings)).removeprefix('about ')}"
    return f"at most {time.removeprefix('about ')}" if settings.searches else time


def _about(seconds: float) -> str:
    """A length of time in words, of two digits at most."""
    if seconds < 100:
        return f"about {max(1, round(seconds))} s"
    if seconds < 100 * 60:
        return f"about {round(seconds / 60)} min"
    return f"about {round(seconds / 3600)} h"
