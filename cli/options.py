"""Options that `regrow encode` and `regrow submit` have in common."""

from __future__ import annotations

from collections.abc import Mapping
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
TimeoutOption = Annotated[float | None, typer.Option(help="Seconds that a job may run, once a worker has begun it")]
StartTimeoutOption = Annotated[float | None, typer.Option(help="Seconds that a job may wait for a worker to begin it")]
TargetPsnrOption = Annotated[float | None, _option("target_psnr")]
MaxBytesOption = Annotated[int | None, _option("max_bytes")]
CoderOption = Annotated[Coder | None, _option("coder")]


def given_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are not None. Raises typer.BadParameter (exit code 2) for a preset beside a target, which chooses
    presets itself."""
    given = {name: value for name, value in options.items() if value is not None}
    for target in ("target_psnr", "max_bytes"):
        if target in given and "preset" in given:
            name = f"--{target.replace('_', '-')}"
            raise typer.BadParameter(
                f"--preset {given['preset']} and {name} exclude each other: a target chooses each patch's preset"
            )
    return given


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
