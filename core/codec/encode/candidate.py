"""What may stand for a patch in a bundle: its payload, and how far off it is."""

from __future__ import annotations

from dataclasses import dataclass

from regrow.core.codec.rule import RuleShape


@dataclass(frozen=True, slots=True)
class Candidate:
    """One encoding of a patch. payload: as of preset number 0. error: sum of squared errors, in 8-bit levels."""

    shape: RuleShape
    payload: bytes
    error: int
