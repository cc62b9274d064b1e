"""Encoding a picture in the profile `seeds`: its work in units that need not know of each other, and their assembly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from regrow.core.codec.decode import decode
from regrow.core.codec.decode.seeds.reference import PatchSeeds, encode_patch
from regrow.core.codec.encode.encoded import Encoded
from regrow.core.codec.encode.plan import Sized
from regrow.core.codec.encode.seeds.transform import coefficients_of
from regrow.core.codec.fit.task import FitHooks
from regrow.core.codec.format.seeds.bundle import SeedsHeader, write_seeds_bundle
from regrow.core.codec.format.seeds.geometry import Tiling
from regrow.core.codec.format.seeds.model import released_model
from regrow.core.codec.images import Picture
from regrow.core.codec.quality import measure
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import FitStopped

LONGEST = 256
MODEL = 1


@dataclass(frozen=True, slots=True)
class SeedsUnit:
    """What comes of a unit. step: the code of its quantisation step size. payloads: of its patches, in order."""

    step: int
    payloads: tuple[bytes, ...]


def tiling_of(picture: Sized) -> Tiling:
    """The patches that a picture is cut into."""
    return Tiling(picture.height, picture.width, LONGEST)


def units_of(picture: Sized, settings: EncodeSettings) -> int:
    """How many units the work has: a patch each, or one of all patches where a target must see the whole picture."""
    return 1 if settings.searches else tiling_of(picture).count


def unit_cost(picture: Sized, settings: EncodeSettings) -> float:
    """What a unit takes, in the floating-point operations that core.codec.encode.plan.patch_cost counts."""
    patches = tiling_of(picture).count
    return 1e9 * (patches if settings.searches else 1)


def encode_units(
    picture: Picture, units: Sequence[int], settings: EncodeSettings, hooks: FitHooks | None = None
) -> list[SeedsUnit]:
    """Do these units. Raises FitStopped when the hooks ask for it, BudgetTooSmall."""
    hooks = hooks or FitHooks()
    tiling, step, found = tiling_of(picture), 1000, []
    for unit in units:
        if hooks.should_stop():
            raise FitStopped("the encode was asked to stop")
        for index in [unit] if not settings.searches else range(tiling.count):
            (top, left), size = tiling.origin(index), tiling.extent(index)
            part = picture.pixels[top : top + size[0], left : left + size[1]]
            coefficients, scale = coefficients_of(part[..., :3] if picture.channels == 4 else part), 2 ** (step / 256)
            details = tuple(
                tuple((np.sign(b) * np.floor(np.abs(b) * scale + 0.4)).astype(np.int32) for b in bands)
                for bands in coefficients.details
            )
            low = np.rint(coefficients.low_pass * scale).astype(np.int32)
            alpha = part[..., 3] if picture.channels == 4 else None
            seeds = PatchSeeds(low, details, alpha)  # type: ignore[arg-type]
            found.append(encode_patch(seeds, released_model(MODEL), size, step)[0])
    if settings.searches:
        return [SeedsUnit(step, tuple(found))]
    return [SeedsUnit(step, (payload,)) for payload in found]


def assemble_seeds(picture: Picture, settings: EncodeSettings, units: Sequence[SeedsUnit]) -> Encoded:
    """The bundle of all units, in order, and the quality of what the decoder makes of it."""
    header = SeedsHeader(picture.height, picture.width, picture.channels, units[0].step, LONGEST, MODEL)
    bundle = write_seeds_bundle(header, [payload for unit in units for payload in unit.payloads])
    met = None if not settings.searches else True
    return Encoded(bundle, measure(picture.pixels, decode(bundle).picture.pixels), {}, met)
