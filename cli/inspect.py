"""`regrow inspect`: what a bundle says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from core.codec.bundle import VERSION, read_bundle
from core.errors import BundleError


def inspect(
    bundle: Annotated[Path, typer.Argument(help="A .gnca file")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Check a bundle and show its header and sizes."""
    data = bundle.read_bytes()
    try:
        parsed = read_bundle(data)
    except BundleError as error:
        raise type(error)(f"{bundle}: {error}") from error
    header = parsed.header
    payload_bytes = sum(len(payload) for payload in parsed.payloads)
    facts = {
        "version": VERSION,
        "width": header.width,
        "height": header.height,
        "visible_channels": header.shape.visible,
        "patch_size": header.patch_size,
        "patches": header.grid.count,
        "patch_rows": header.grid.rows,
        "patch_columns": header.grid.columns,
        "seed": str(header.seed),
        "steps": header.rollout.steps,
        "fire_rate": header.rollout.fire_rate,
        "channels": header.shape.channels,
        "hidden": header.shape.hidden,
        "parameters_per_patch": header.shape.parameters,
        "bytes": len(data),
        "payload_bytes": payload_bytes,
        "overhead_bytes": len(data) - payload_bytes,
        "bits_per_pixel": 8 * len(data) / (header.width * header.height),
    }
    if as_json:
        print(json.dumps(facts))
    else:
        for name, value in facts.items():
            print(
                f"{name.replace('_', ' '):22} {value:.3f}"
                if isinstance(value, float)
                else f"{name.replace('_', ' '):22} {value}"
            )
