"""What callers may choose of an encode, each option once: HTTP requests, the command line and job documents have these.

`EncodeSettings` is what becomes of the choice.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from regrow.core.codec.coder import Coder
from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.profile import Profile
from regrow.core.codec.seeds import SeedKind
from regrow.core.codec.settings import (
    DEFAULT_QUALITY,
    HIGHEST_PSNR,
    HIGHEST_QUALITY,
    LOWEST_PSNR,
    MOST_BYTES,
    SEED_NUMBERS,
    EncodeSettings,
)
from regrow.core.errors import InvalidSettings

OF_RULES = ("preset", "seed", "seed_number", "coder")
"""Options that only the profile `rules` has."""


class OptionConflict(InvalidSettings):
    """An option does not go with others. option: its name."""

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option


class CodecOptions(BaseModel):
    """Their names, types, ranges and descriptions. None: not chosen, which is how each begins."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: Profile | None = Field(
        default=None,
        description="seeds: what a rule that all pictures share grows the picture from; rules: a rule of its own for "
        "every patch, as in the paper. By default seeds, but rules where preset, seed, seed_number, coder or effort "
        "paper is given",
    )
    quality: float | None = Field(
        default=None,
        ge=0,
        le=HIGHEST_QUALITY,
        description=f"Of the profile seeds, instead of a target; by default {DEFAULT_QUALITY:g}",
    )
    preset: Preset | None = Field(
        default=None,
        description="Of the profile rules: the size of the rules, by default small; a target chooses it per patch",
    )
    effort: Effort | None = Field(
        default=None,
        description="How long to work on it; by default standard, but with the profile rules draft where standard "
        "takes over a minute on two cores",
    )
    seed: SeedKind | None = Field(
        default=None, description="Of the profile rules: the state that pictures are grown from, by default scaffold"
    )
    seed_number: int | None = Field(
        default=None,
        ge=0,
        lt=SEED_NUMBERS,
        description="Of the profile rules: of the random numbers used in training, by default 0",
    )
    coder: Coder | None = Field(
        default=None,
        description="Of the profile rules: how weights are written, entropy coded (ans, the default) or a byte each",
    )
    target_psnr: float | None = Field(
        default=None,
        ge=LOWEST_PSNR,
        le=HIGHEST_PSNR,
        description="dB to reach in as few bytes as possible",
    )
    max_bytes: int | None = Field(
        default=None,
        ge=1,
        le=MOST_BYTES,
        description="Of the whole file, for a picture as good as possible within it",
    )

    def settings(self) -> EncodeSettings:
        """What was chosen; an effort that was left open is the default of EncodeSettings. Raises InvalidSettings."""
        return settings_of({name: getattr(self, name) for name in CodecOptions.model_fields})


def settings_of(options: dict[str, Any]) -> EncodeSettings:
    """Of options by name, None for those that were not chosen. Raises InvalidSettings; OptionConflict where they are of
    different profiles, or exclude each other."""
    chosen = {name: value for name, value in options.items() if value is not None}
    reasons = [name for name in OF_RULES if name in chosen]
    if chosen.get("effort") == Effort.PAPER:
        reasons.append("effort paper")
    profile = chosen.setdefault("profile", Profile.RULES if reasons else Profile.SEEDS)
    if profile == Profile.SEEDS and reasons:
        words = f"{reasons[0]} is for the profile rules: leave it out, or choose profile rules"
        raise OptionConflict(reasons[0].split()[0], words)
    if "quality" in chosen:
        _refuse_quality(chosen, reasons)
    return EncodeSettings(**chosen)


def _refuse_quality(chosen: dict[str, Any], reasons: list[str]) -> None:
    """Raises OptionConflict where quality does not go with the rest. reasons: what asks for the profile rules."""
    if chosen["profile"] == Profile.RULES:
        other = reasons[0] if reasons else "profile rules"
        words = f"quality is for the profile seeds: leave out {other}, or choose a target instead"
        raise OptionConflict("quality", words)
    for target in ("target_psnr", "max_bytes"):
        if target in chosen:
            raise OptionConflict("quality", f"quality and {target} exclude each other: leave one of them out")


def options_of(settings: EncodeSettings) -> dict[str, Any]:
    """The options by name that settings are the outcome of; None for those that have no part in it."""
    of_seeds = settings.profile is Profile.SEEDS
    unused = OF_RULES if of_seeds else ("quality",)
    if of_seeds and settings.searches:
        unused = (*unused, "quality")
    return {name: None if name in unused else getattr(settings, name) for name in CodecOptions.model_fields}
