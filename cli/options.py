"""Options that `regrow encode` and `regrow submit` have in common."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from regrow.core.codec.coder import Coder
from regrow.core.codec.options import CodecOptions
from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.profile import Profile
from regrow.core.codec.seeds import SeedKind
from regrow.core.codec.settings import HIGHEST_QUALITY, SEED_NUMBERS


def _option(name: str, **more: Any) -> Any:
    """A command-line option for a field of CodecOptions, with its description as help; None where it is not given."""
    return typer.Option(help=CodecOptions.model_fields[name].description, show_default=False, **more)


ProfileOption = Annotated[Profile | None, _option("profile")]
QualityOption = Annotated[float | None, _option("quality", min=0, max=HIGHEST_QUALITY)]
PresetOption = Annotated[Preset | None, _option("preset")]
EffortOption = Annotated[Effort | None, _option("effort")]
SeedOption = Annotated[SeedKind | None, _option("seed")]
SeedNumberOption = Annotated[int | None, _option("seed_number", min=0, max=SEED_NUMBERS - 1)]
TargetPsnrOption = Annotated[float | None, _option("target_psnr")]
MaxBytesOption = Annotated[int | None, _option("max_bytes")]
CoderOption = Annotated[Coder | None, _option("coder")]


def refuse_preset_with_target(preset: Preset | None, target_psnr: float | None, max_bytes: int | None) -> None:
    """Refuse a preset beside a target, which chooses presets itself. Raises typer.BadParameter (exit code 2)."""
    target = "--target-psnr" if target_psnr is not None else "--max-bytes"
    if preset is not None and (target_psnr is not None or max_bytes is not None):
        raise typer.BadParameter(
            f"--preset {preset} and {target} exclude each other: a target chooses each patch's preset"
        )


NEARLY_ALL = 0.95
"""Share of the allowed bytes from which on a file counts as using them, and nothing is said."""


def unused(size: int, max_bytes: int | None, next_bytes: int | None) -> str | None:
    """A remark where a file is much smaller than max_bytes allows, None otherwise.

    next_bytes: size of the next better file, None where none was found.
    """
    if max_bytes is None or size >= NEARLY_ALL * max_bytes:
        return None
    what = "nothing better was found" if next_bytes is None else f"the next better file would take {next_bytes}"
    return f"{size} of {max_bytes} bytes used: {what}"
