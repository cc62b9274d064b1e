"""What callers may choose of an encode, each option once: HTTP requests, the command line and job documents have these.

`EncodeSettings` is what becomes of the choice.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from regrow.core.codec.coder import Coder
from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.seeds import SeedKind
from regrow.core.codec.settings import HIGHEST_PSNR, LOWEST_PSNR, MOST_BYTES, SEED_NUMBERS, EncodeSettings


class CodecOptions(BaseModel):
    """Their names, types, ranges, defaults and descriptions. effort: None for one that suits the picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Preset = Field(default=Preset.SMALL, description="Size of the rules; a target chooses it per patch instead")
    effort: Effort | None = Field(
        default=None,
        description="How long to train; by default standard where that takes about a minute on two cores, else draft",
    )
    seed: SeedKind = Field(default=SeedKind.SCAFFOLD, description="The state that pictures are grown from")
    seed_number: int = Field(default=0, ge=0, lt=SEED_NUMBERS, description="Of the random numbers used in training")
    coder: Coder = Field(default=Coder.ANS, description="How weights are written: entropy coded, or a byte each")
    target_psnr: float | None = Field(
        default=None,
        ge=LOWEST_PSNR,
        le=HIGHEST_PSNR,
        description="dB to reach in as few bytes as possible; presets are chosen per patch",
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
    """Of options by name, None for those that were not chosen. Raises InvalidSettings."""
    return EncodeSettings(**{name: value for name, value in options.items() if value is not None})


def options_of(settings: EncodeSettings) -> dict[str, Any]:
    """The options by name that settings are the outcome of."""
    return {name: getattr(settings, name) for name in CodecOptions.model_fields}
