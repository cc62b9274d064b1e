"""What `regrow encode` and `regrow submit` are asked alike."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from regrow.core.codec.coder import Coder
from regrow.core.codec.options import CodecOptions
from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.seeds import SeedKind
from regrow.core.codec.settings import SEED_NUMBERS


def _option(name: str, **more: Any) -> Any:
    """An option of the codec: described as everywhere, and None where it is not given."""
    field = CodecOptions.model_fields[name]
    shown = False if field.default is None else str(field.default)
    return typer.Option(help=field.description, show_default=shown, **more)


PresetOption = Annotated[Preset | None, _option("preset")]
EffortOption = Annotated[Effort | None, _option("effort")]
SeedOption = Annotated[SeedKind | None, _option("seed")]
SeedNumberOption = Annotated[int | None, _option("seed_number", min=0, max=SEED_NUMBERS - 1)]
TargetPsnrOption = Annotated[float | None, _option("target_psnr")]
MaxBytesOption = Annotated[int | None, _option("max_bytes")]
CoderOption = Annotated[Coder | None, _option("coder")]


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
