"""`regrow submit`: many images to a server, and their bundles back."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from cli.client import Client, ServerError
from cli.console import progress_bar
from cli.files import write_whole
from cli.sending import Sent, look, send
from core.codec.presets import Effort, Preset
from core.codec.seeds import SeedKind
from core.errors import InvalidSettings
from core.jobs.model import Priority

POLL_SECONDS = 0.5
KINDS = (".png", ".jpg", ".jpeg", ".webp")


def submit(
    images: Annotated[list[Path], typer.Argument(exists=True, help="Image files, or folders of them")],
    server: Annotated[str, typer.Option(help="Address of the service")] = "http://127.0.0.1:8000",
    key: Annotated[
        str | None, typer.Option(envvar="REGROW_API_KEY", help="API key; better set than typed: others see commands")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", file_okay=False, help="Folder for the bundles; without it, beside the images"),
    ] = None,
    preset: Annotated[Preset, typer.Option(help="Size of the rules")] = Preset.SMALL,
    effort: Annotated[Effort, typer.Option(help="How long to train")] = Effort.DRAFT,
    seed: Annotated[SeedKind, typer.Option(help="What pictures are grown from")] = SeedKind.SCAFFOLD,
    target_psnr: Annotated[float | None, typer.Option(help="dB to reach in as few bytes as possible")] = None,
    max_bytes: Annotated[int | None, typer.Option(help="Size of each file, for a picture as good as possible")] = None,
    priority: Annotated[Priority, typer.Option(help="Between your own jobs")] = Priority.NORMAL,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON report per image")] = False,
) -> None:
    """Send images to a server in groups, wait, and fetch their bundles.

    Interrupted, and run again, it goes on where it was.
    """
    files = _files(images)
    targets = _targets(files, output)
    asked = {"preset": preset, "effort": effort, "seed": seed, "target_psnr": target_psnr, "max_bytes": max_bytes}
    options = {name: value for name, value in {**asked, "priority": priority}.items() if value is not None}
    with Client(server, key) as client, progress_bar() as bars:
        bar = bars.add_task("sending", total=float(len(files)), note="")
        waiting = send(client, files, options)
        done, progress = 0, dict.fromkeys(files, 0.0)
        while waiting:
            for file, image in list(waiting.items()):
                if image.has_ended:
                    del waiting[file]
                    done += _fetch(client, file, targets[file], image, as_json=as_json)
                progress[file] = 1.0 if image.has_ended else image.progress
            note = f"{len(files) - len(waiting)} of {len(files)} images"
            bars.update(bar, description="encoding", completed=sum(progress.values()), note=note)
            if waiting:
                time.sleep(POLL_SECONDS)
                waiting = look(client, waiting)
    if done < len(files):
        raise ServerError(f"{len(files) - done} of {len(files)} images have no bundle")


def _files(images: list[Path]) -> list[Path]:
    """The files named, and those in the folders named. Raises InvalidSettings where there is none."""
    found: list[Path] = []
    for path in images:
        inside = [path]
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.suffix.lower() in KINDS and each.is_file())
        if not inside:
            raise InvalidSettings(f"{path}: there is no PNG, JPEG or WebP file in this folder")
        found += inside
    return list(dict.fromkeys(found))


def _targets(files: list[Path], output: Path | None) -> dict[Path, Path]:
    """Where each file's bundle goes. Raises InvalidSettings where two would become one."""
    targets = {file: (output or file.parent) / file.with_suffix(".gnca").name for file in files}
    if len({target.resolve() for target in targets.values()}) < len(targets):
        raise InvalidSettings("two of the images would become the same bundle: rename one of them")
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
    return targets


def _fetch(client: Client, file: Path, target: Path, image: Sent, *, as_json: bool) -> bool:
    """Write the bundle of a job that has ended; whether there is one."""
    if image.job_id is None or image.state != "succeeded":
        print(f"regrow: {file}: {image.reason or image.state}", file=sys.stderr)
        return False
    write_whole(target, client.fetch(f"/jobs/{image.job_id}/bundle"))
    report = json.loads(client.fetch(f"/jobs/{image.job_id}/report"))
    if as_json:
        print(json.dumps({"image": str(file), "bundle": str(target), "job": image.job_id, **report}))
    else:
        print(f"{target}: {report['psnr']:.2f} dB, {report['bytes']} bytes")
    return True
