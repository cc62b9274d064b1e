"""The result of an encode."""

from __future__ import annotations

from dataclasses import dataclass

from regrow.core.codec.quality import Quality


@dataclass(frozen=True, slots=True)
class Encoded:
    """bundle: the file. presets: how many patches use which. target_met: None where there was no target. next_bytes:
    where a number of bytes was the target, of the smallest better file that has more; None if there is none.
    patch_iterations: of training, summed over the patches; 0 where assemble was given patches that others fitted."""

    bundle: bytes
    quality: Quality
    presets: dict[str, int]
    target_met: bool | None
    next_bytes: int | None = None
    patch_iterations: int = 0
