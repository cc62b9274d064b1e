"""`regrow inspect`: what a bundle says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, TextIO

import typer

from regrow.cli.files import Force, is_stream, read_image, refuse_unwritable, words_for, write_whole
from regrow.cli.inspect_facts import Facts, facts_of
from regrow.core.codec.format.bundle import AnyBundle, read_bundle
from regrow.core.errors import BundleError, InvalidSettings


def inspect(
    bundle: Annotated[Path, typer.Argument(help="A .gnca file")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
    map_file: Annotated[
        Path | None, typer.Option("--map", help="Draw the bytes of each patch, into a .png file; - for standard output")
    ] = None,
    original: Annotated[Path | None, typer.Option(help="With --map: the image, to draw each patch's PSNR too")] = None,
    force: Force = False,
) -> None:
    """Check a bundle and show its header and sizes."""
    if original is not None and map_file is None:
        raise InvalidSettings("--original is compared on the map: say with --map where that goes")
    if map_file is not None:
        if map_file.suffix.lower() != ".png" and not is_stream(map_file):
            raise InvalidSettings(f"{map_file}: maps are written as PNG, so the name must end in .png")
        refuse_unwritable(map_file, force=force)
    data = bundle.read_bytes()
    try:
        parsed = read_bundle(data)
        facts = facts_of(parsed, len(data))
    except BundleError as error:
        raise type(error)(f"{bundle}: {error}") from error
    if map_file is not None:
        _write_map(parsed, map_file, original, force=force)
    if as_json:
        print(json.dumps(facts), file=words_for(map_file))
    else:
        _show(facts, words_for(map_file))


def _write_map(bundle: AnyBundle, target: Path, original: Path | None, *, force: bool) -> None:
    from regrow.cli.inspect_map import draw_map

    picture = None if original is None else read_image(original)[0]
    write_whole(target, draw_map(bundle, picture).to_png(), force=force)


def _show(facts: Facts, stream: TextIO) -> None:
    """Print the facts about a bundle: a line for each, for each preset, and for each group of numbers."""
    for name, value in facts.items():
        label = name.replace("_", " ")
        if isinstance(value, dict):
            print(
                f"{label:22} " + ", ".join(f"{key.replace('_', ' ')} {_text(item)}" for key, item in value.items()),
                file=stream,
            )
        elif isinstance(value, list):
            for row in value:
                print(
                    f"{'preset':22} "
                    + "{preset}: {patches} patches of {channels}×{hidden}, {parameters} weights".format(**row),
                    file=stream,
                )
        else:
            print(f"{label:22} {_text(value)}", file=stream)


def _text(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
