"""What decides, together with the picture, every byte of a bundle."""

from __future__ import annotations

from dataclasses import dataclass

from regrow.core.codec.coder import Coder
from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.profile import Profile
from regrow.core.codec.seeds import SeedKind
from regrow.core.errors import InvalidSettings

SEED_NUMBERS = 2**32
"""How many there are: from 0 on."""

LOWEST_PSNR, HIGHEST_PSNR = 10, 55
"""dB that may be a target."""

MOST_BYTES = 1 << 40
"""That may be allowed for a file."""

DEFAULT_QUALITY, HIGHEST_QUALITY = 50.0, 100.0
"""Of the profile `seeds`."""


@dataclass(frozen=True, slots=True)
class EncodeSettings:
    """How a picture is encoded.

    profile: what a bundle holds. effort: how long is spent on it.

    Of the profile `rules`: preset: how large a rule is. seed: what pictures are grown from. seed_number: of the
    random numbers that start and train the rules.

    fire_rate: share of cells that update at each step; 0 for synchronous updates, and all that HTTP
    and the command line ask for. coder: how weights are written.

    Of the profile `seeds`: quality: 0 to 100, each ten about 2.7 dB; not used with a target.

    target_psnr: dB that the picture shall reach in as few bytes as possible; max_bytes: that the whole file may have,
    for a picture as good as possible. With either, in the profile `rules`, each patch gets the preset and the
    quantisation step sizes that serve the picture best, and `preset` is not used. Raises InvalidSettings.
    """

    preset: Preset = Preset.SMALL
    effort: Effort = Effort.DRAFT
    seed: SeedKind = SeedKind.SCAFFOLD
    seed_number: int = 0
    fire_rate: float = 0.0
    coder: Coder = Coder.ANS
    target_psnr: float | None = None
    max_bytes: int | None = None
    profile: Profile = Profile.RULES
    quality: float = DEFAULT_QUALITY

    def __post_init__(self) -> None:
        if self.target_psnr is not None and self.max_bytes is not None:
            raise InvalidSettings("give a target PSNR or a number of bytes, not both")
        if self.target_psnr is not None and not LOWEST_PSNR <= self.target_psnr <= HIGHEST_PSNR:
            raise InvalidSettings(
                f"a target PSNR must be from {LOWEST_PSNR} to {HIGHEST_PSNR} dB, not {self.target_psnr:g}"
            )
        if self.max_bytes is not None and not 1 <= self.max_bytes <= MOST_BYTES:
            raise InvalidSettings(f"the number of bytes must be from 1 to {MOST_BYTES}, not {self.max_bytes}")
        if not 0 <= self.quality <= HIGHEST_QUALITY:
            raise InvalidSettings(f"quality must be from 0 to {HIGHEST_QUALITY:g}, not {self.quality:g}")
        if self.profile is Profile.SEEDS:
            if self.effort is Effort.PAPER:
                raise InvalidSettings("effort paper is for the profile rules: choose another effort")
            return
        if self.searches and self.coder is not Coder.ANS:
            raise InvalidSettings("a target needs entropy coding: leave the coder at ans")
        if self.searches and self.effort is Effort.PAPER:
            raise InvalidSettings("effort paper rounds as the paper does and knows no targets: choose another effort")

    @property
    def preset_name(self) -> str | None:
        """For people: the preset, or that presets are chosen; None where there are none."""
        if self.profile is Profile.SEEDS:
            return None
        return "auto" if self.searches else str(self.preset)

    @property
    def searches(self) -> bool:
        """Whether there is a target, for which quantisation step sizes are searched, and presets if there are any."""
        return self.target_psnr is not None or self.max_bytes is not None
