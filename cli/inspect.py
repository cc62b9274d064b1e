"""`regrow inspect`: what a bundle says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.files import read_image, write_whole
from cli.inspect_facts import Facts, facts_of
from core.codec.bundle import Bundle, read_bundle
from core.errors import BundleError, InvalidSettings


def inspect(
    bundle: Annotated[Path, typer.Argument(help="A .gnca file")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
    map_file: Annotated[
        Path | None, typer.Option("--map", help="Draw the bytes of each patch, into a .png file")
    ] = None,
    original: Annotated[Path | None, typer.Option(help="With --map: the image, to draw each patch's PSNR too")] = None,
) -> None:
    """Check a bundle and show its header and sizes."""
    if original is not None and map_file is None:
        raise InvalidSettings("--original is compared on the map: say with --map where that goes")
    if map_file is not None and map_file.suffix.lower() != ".png":
        raise InvalidSettings(f"{map_file}: maps are written as PNG, so the name must end in .png")
    data = bundle.read_bytes()
    try:
        parsed = read_bundle(data)
        facts = facts_of(parsed, len(data))
    except BundleError as error:
        raise type(error)(f"{bundle}: {error}") from error
    if map_file is not None:
        _write_map(parsed, map_file, original)
    if as_json:
        print(json.dumps(facts))
    else:
        _show(facts)


def _write_map(bundle: Bundle, target: Path, original: Path | None) -> None:
    from cli.inspect_map import draw_map

    picture = None if original is None else read_image(original)[0]
    write_whole(target, draw_map(bundle, picture).to_png())


def _show(facts: Facts) -> None:
    """One line a fact, one a preset, and one for each group of numbers."""
    for name, value in facts.items():
        label = name.replace("_", " ")
        if isinstance(value, dict):
            print(f"{label:22} " + ", ".join(f"{key.replace('_', ' ')} {_text(item)}" for key, item in value.items()))
        elif isinstance(value, list):
            for row in value:
                print(
                    f"{'preset':22} "
                    + "{preset}: {patches} patches of {channels}×{hidden}, {parameters} weights".format(**row)
                )
        else:
            print(f"{label:22} {_text(value)}")


def _text(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
