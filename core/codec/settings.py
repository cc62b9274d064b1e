"""What decides, together with the picture, every byte of a bundle."""

from __future__ import annotations

from dataclasses import dataclass

from core.codec.presets import Effort, Preset
from core.codec.seeds import SeedKind


@dataclass(frozen=True, slots=True)
class EncodeSettings:
    """seed: what pictures are grown from. seed_number: of the random numbers that start and train the rules.

    fire_rate: share of cells that update at each step; 0 for synchronous updates.
    """

    preset: Preset = Preset.SMALL
    effort: Effort = Effort.DRAFT
    seed: SeedKind = SeedKind.SCAFFOLD
    seed_number: int = 0
    fire_rate: float = 0.0
