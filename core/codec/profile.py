"""The two ways in which a bundle can hold a picture."""

from __future__ import annotations

from enum import StrEnum


class Profile(StrEnum):
    """rules: as in the paper, a rule of its own for every patch. seeds: one rule that was learned from photos and comes
    with the software, and what it grows the picture from."""

    RULES = "rules"
    SEEDS = "seeds"
