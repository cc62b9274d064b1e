"""What an encode in the profile `seeds` comes down to: patches, units of work, step sizes, and what they cost."""

from __future__ import annotations

from regrow.core.codec.encode.plan import Sized
from regrow.core.codec.format.seeds.arithmetic import STEPS_PER_OCTAVE
from regrow.core.codec.format.seeds.geometry import Tiling
from regrow.core.codec.presets import Effort
from regrow.core.codec.settings import EncodeSettings

MODEL = 1
"""Id of the model that pictures are encoded with."""

LONGEST = 256
"""Longest side of a patch: longer ones take a little less, but are fewer to share between cores."""

SWEEPS = {Effort.DRAFT: 1, Effort.STANDARD: 8, Effort.THOROUGH: 24}
"""Over all seeds of a patch, by effort."""

COARSEST, OCTAVES_PER_QUALITY = 1.0, 0.06
"""The step size is 2 ** -(COARSEST + OCTAVES_PER_QUALITY · quality)."""

COST_OF_A_SWEEP = 2e5
"""Of a pixel, in the floating-point operations of core.codec.encode.plan.patch_cost: a core of a Xeon at 2.5 GHz takes
about 4 µs, in which it does as many when it fits rules (core.codec.encode.effort.COST_PER_SECOND, of two cores)."""

TRIES_FOR_A_TARGET = 4
"""Step sizes at which a picture is searched, about, until one meets a target."""


def tiling_of(picture: Sized) -> Tiling:
    """The patches that a picture is cut into."""
    return Tiling(picture.height, picture.width, LONGEST)


def units_of(picture: Sized, settings: EncodeSettings) -> int:
    """How many units the work has: a patch each, or one of all patches where a target must see the whole picture."""
    return 1 if settings.searches else tiling_of(picture).count


def unit_cost(picture: Sized, settings: EncodeSettings) -> float:
    """What a unit takes, in the floating-point operations that core.codec.encode.plan.patch_cost counts."""
    sweeps = 1 + SWEEPS[settings.effort]  # and one that writes
    every = COST_OF_A_SWEEP * picture.height * picture.width * sweeps
    return every * TRIES_FOR_A_TARGET if settings.searches else every / tiling_of(picture).count


def step_code(quality: float) -> int:
    """The code of the step size for a quality from 0 to 100."""
    return round(STEPS_PER_OCTAVE * (COARSEST + OCTAVES_PER_QUALITY * quality))
