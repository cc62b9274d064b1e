"""`regrow grow`: how a picture grows, as an animation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from regrow.cli.files import Force, is_stream, refuse_unwritable, words_for, write_whole
from regrow.core.codec.decode.animation import AnimationKind, write_animation
from regrow.core.codec.decode.view import LARGEST_SCALE
from regrow.core.codec.format.bundle import read_bundle
from regrow.core.errors import BundleError, InvalidSettings
from regrow.core.names import printable


def grow(
    bundle: Annotated[Path, typer.Argument(help="A .gnca file")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The animation, a .gif or .webp file; - for a GIF on standard output"),
    ] = None,
    scale: Annotated[
        int, typer.Option(min=1, max=LARGEST_SCALE, help="Pixels of the animation per pixel of the picture")
    ] = 1,
    force: Force = False,
) -> None:
    """Show how the picture in a bundle grows, step by step (BUNDLE.gif beside it, unless -o says where)."""
    target = output or bundle.with_suffix(".gif")
    kind = AnimationKind.GIF if is_stream(target) else _kind_of(target)
    refuse_unwritable(target, force=force)
    try:
        parsed = read_bundle(bundle.read_bytes())
        write_whole(target, write_animation(parsed, kind, scale=scale), force=force)
    except BundleError as error:
        raise type(error)(f"{bundle}: {error}") from error
    header = parsed.header
    size = f"{scale * header.width}×{scale * header.height}"
    print(f"{printable(target)}: {size}, from the seed to step {header.steps}", file=words_for(target))


def _kind_of(target: Path) -> AnimationKind:
    try:
        return AnimationKind(target.suffix.lower().removeprefix("."))
    except ValueError as error:
        raise InvalidSettings(
            f"{target}: growth is written as GIF or WebP, so the name must end in .gif or .webp"
        ) from error
