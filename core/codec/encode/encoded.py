"""The result of an encode."""

from __future__ import annotations

from dataclasses import dataclass

from regrow.core.codec.quality import Quality


@dataclass(frozen=True, slots=True)
class Encoded:
    """A finished encode.

    bundle: the file's bytes. quality: of the picture that the decoder makes of it. presets: by a preset's name, how
    many patches use it. target_met: None where there was no target. next_bytes: where a number of bytes was the target,
    the size of the smallest file that is better and has more of them; None if there is none.
    patch_iterations: of training, summed over the patches; 0 where assemble was given patches that others fitted.
    """

    bundle: bytes
    quality: Quality
    presets: dict[str, int]
    target_met: bool | None
    next_bytes: int | None = None
    patch_iterations: int = 0
