"""What `regrow encode` and `regrow submit` are asked alike."""

from __future__ import annotations

from typing import Final

import typer

from regrow.core.codec.presets import Preset

EFFORT_HELP: Final = "How long to train; if not given, standard where that takes about a minute, else draft"


def refuse_preset_with_target(preset: Preset | None, target_psnr: float | None, max_bytes: int | None) -> None:
    """Raises UsageError (exit code 2) where both are asked for."""
    target = "--target-psnr" if target_psnr is not None else "--max-bytes"
    if preset is not None and (target_psnr is not None or max_bytes is not None):
        raise typer.BadParameter(
            f"--preset {preset} and {target} exclude each other: a target chooses each patch's preset"
        )


NEARLY_ALL = 0.95
"""Of the bytes that were allowed: who gets so much is told nothing."""


def unused(size: int, max_bytes: int | None, next_bytes: int | None) -> str | None:
    """A word on a file that is much smaller than it might be. next_bytes: of the next better one."""
    if max_bytes is None or size >= NEARLY_ALL * max_bytes:
        return None
    what = "nothing better was found" if next_bytes is None else f"the next better file would take {next_bytes}"
    return f"{size} of {max_bytes} bytes used: {what}"
