"""Doing the units of an encode (core.codec.encode.pricing), and putting together what comes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from regrow.core.codec.encode import assemble as rules
from regrow.core.codec.encode import flat
from regrow.core.codec.encode.candidate import Candidate
from regrow.core.codec.encode.encoded import Encoded
from regrow.core.codec.encode.encoder import PatchEncoder
from regrow.core.codec.encode.pricing import trains
from regrow.core.codec.encode.seeds import encoder as seeds
from regrow.core.codec.encode.seeds.encoder import SeedsUnit
from regrow.core.codec.fit.checkpoint import Checkpoints
from regrow.core.codec.fit.task import FitHooks
from regrow.core.codec.images import Picture
from regrow.core.codec.profile import Profile
from regrow.core.codec.settings import EncodeSettings

if TYPE_CHECKING:
    from regrow.core.codec.encode.units import Unit


@dataclass(frozen=True, slots=True)
class EncodedUnits:
    """units: what came of each that was asked for. patch_iterations: of training, summed over the patches."""

    units: Sequence[Unit]
    patch_iterations: int


def encode_units(
    picture: Picture,
    units: Sequence[int],
    settings: EncodeSettings,
    hooks: FitHooks,
    checkpoints: Checkpoints[bytes],
    fit_patches: PatchEncoder,
) -> EncodedUnits:
    """Do the units of these numbers. checkpoints, fit_patches: of what is trained.

    Raises FitStopped when the hooks ask for it, BudgetTooSmall.
    """
    if not trains(settings):
        return EncodedUnits(seeds.encode_units(picture, units, settings, hooks), 0)
    encoded = fit_patches(picture, units, settings, hooks, checkpoints)
    return EncodedUnits(encoded.candidates, encoded.patch_iterations)


def flat_unit(picture: Picture, number: int, settings: EncodeSettings) -> Unit:
    """What stands in for a unit that cannot be done: its patches in their mean colours. Raises BudgetTooSmall."""
    if settings.profile is Profile.SEEDS:
        return flat.flat_seeds(picture, number, settings)
    return [flat.flat_candidate(picture, number, settings)]


def assemble(picture: Picture, settings: EncodeSettings, units: Sequence[Unit]) -> Encoded:
    """The bundle of all units, in order, and the quality of what the decoder makes of it. Raises BudgetTooSmall."""
    if settings.profile is Profile.SEEDS:
        return seeds.assemble_seeds(picture, settings, cast("Sequence[SeedsUnit]", units))
    return rules.assemble(picture, settings, cast("Sequence[Sequence[Candidate]]", units))
