"""`regrow decode`: a bundle to a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from regrow.cli.console import complain
from regrow.cli.files import Force, is_stream, refuse_unwritable, words_for, write_whole
from regrow.core.codec import decode as codec
from regrow.core.codec.decode.view import LARGEST_SCALE, View, parse_box
from regrow.core.errors import BundleError, InvalidSettings
from regrow.core.names import printable


def decode(
    bundle: Annotated[Path, typer.Argument(help="A .gnca file")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The picture, a .png file; - for standard output")
    ] = None,
    crop: Annotated[str | None, typer.Option(help="x,y,width,height in pixels; only what it touches is grown")] = None,
    step: Annotated[int | None, typer.Option(min=0, help="The state after so many steps; 0 is the seed")] = None,
    scale: Annotated[int, typer.Option(min=1, max=LARGEST_SCALE, help="Pixels per pixel of the picture")] = 1,
    conceal: Annotated[bool, typer.Option(help="Fill damaged patches from their neighbours")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON")] = False,
    force: Force = False,
) -> None:
    """Regrow the picture in a bundle (BUNDLE.png beside it, unless -o says where)."""
    target = output or bundle.with_suffix(".png")
    if target.suffix.lower() != ".png" and not is_stream(target):
        raise InvalidSettings(f"{target}: pictures are written as PNG, so the name must end in .png")
    refuse_unwritable(target, force=force)
    try:
        view = View(parse_box(crop), step, scale)
        decoded = codec.decode(bundle.read_bytes(), view, on_damage="conceal" if conceal else "refuse")
    except BundleError as error:
        raise type(error)(f"{bundle}: {error}") from error
    picture = decoded.picture
    write_whole(target, picture.to_png(), force=force)
    if decoded.damaged:
        numbers = ", ".join(map(str, decoded.damaged))
        complain(f"{bundle}: filled damaged patches from their neighbours: {numbers}")
    stream = words_for(target)
    if as_json:
        print(
            json.dumps(
                {
                    "bundle": printable(bundle),
                    "picture": printable(target),
                    "width": picture.width,
                    "height": picture.height,
                    "channels": picture.channels,
                    "damaged_patches": list(decoded.damaged),
                }
            ),
            file=stream,
        )
    else:
        print(f"{printable(target)}: {picture.width}×{picture.height}", file=stream)
