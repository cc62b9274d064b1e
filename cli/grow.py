"""`regrow grow`: how a picture grows, as an animation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.files import write_whole
from core.codec.animation import AnimationKind, write_animation
from core.codec.bundle import read_bundle
from core.codec.view import LARGEST_SCALE
from core.errors import BundleError, InvalidSettings


def grow(
    bundle: Annotated[Path, typer.Argument(help="A .gnca file")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The animation, a .gif or .webp file")] = None,
    scale: Annotated[
        int, typer.Option(min=1, max=LARGEST_SCALE, help="Pixels of the animation per pixel of the picture")
    ] = 1,
) -> None:
    """Show how the picture in a bundle grows, step by step (BUNDLE.gif beside it, unless -o says where)."""
    target = output or bundle.with_suffix(".gif")
    if output is None and target.exists():
        raise InvalidSettings(f"{target} is there already: say with -o where the animation goes")
    kind = _kind_of(target)
    try:
        parsed = read_bundle(bundle.read_bytes())
        write_whole(target, write_animation(parsed, kind, scale=scale))
    except BundleError as error:
        raise type(error)(f"{bundle}: {error}") from error
    header = parsed.header
    size = f"{scale * header.width}×{scale * header.height}"
    print(f"{target}: {size}, from the seed to step {header.rollout.steps}")


def _kind_of(target: Path) -> AnimationKind:
    try:
        return AnimationKind(target.suffix.lower().removeprefix("."))
    except ValueError as error:
        raise InvalidSettings(
            f"{target}: growth is written as GIF or WebP, so the name must end in .gif or .webp"
        ) from error
