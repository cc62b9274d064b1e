"""The result of an encode."""

from __future__ import annotations

from dataclasses import dataclass

from core.codec.metrics import Quality


@dataclass(frozen=True, slots=True)
class Encoded:
    """bundle: the file. presets: how many patches use which. target_met: None where there was no target."""

    bundle: bytes
    quality: Quality
    presets: dict[str, int]
    target_met: bool | None
