"""`regrow submit`: many images to a server, and their bundles back."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from regrow.cli.connect import connect
from regrow.cli.console import complain, complain_of, progress_bar
from regrow.cli.files import STDOUT, Force, refuse_unwritable, write_whole
from regrow.cli.options import (
    EffortOption,
    MaxBytesOption,
    PresetOption,
    ProfileOption,
    QualityOption,
    SeedOption,
    StartTimeoutOption,
    TargetPsnrOption,
    TimeoutOption,
    given_options,
    unused,
)
from regrow.cli.pictures import Recursive, choose, counted
from regrow.cli.uploads import Sent, look, send
from regrow.client import Client, EncodeOptions, Refused
from regrow.core.codec.presets import Effort
from regrow.core.errors import InvalidSettings, RegrowError
from regrow.core.jobs.model import Priority
from regrow.core.names import printable

POLL_SECONDS = 0.5


class NotAllEncoded(RegrowError):
    """Some of the images have no bundle."""


def submit(
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders of them")],
    server: Annotated[str, typer.Option(help="Address of the service")] = "http://127.0.0.1:8000",
    key: Annotated[
        str | None, typer.Option(envvar="REGROW_API_KEY", help="API key; better set than typed: others see commands")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", file_okay=False, help="Folder for the bundles; without it, beside the images"),
    ] = None,
    profile: ProfileOption = None,
    quality: QualityOption = None,
    preset: PresetOption = None,
    effort: EffortOption = None,
    seed: SeedOption = None,
    target_psnr: TargetPsnrOption = None,
    max_bytes: MaxBytesOption = None,
    priority: Annotated[Priority, typer.Option(help="Between your own jobs")] = Priority.NORMAL,
    timeout: TimeoutOption = None,
    start_timeout: StartTimeoutOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON report per image")] = False,
    recursive: Recursive = False,
    force: Force = False,
) -> None:
    """Send images to a server in groups, wait, and fetch their bundles.

    Interrupted, and run again, it goes on where it was: an image whose bundle is there already is left out, unless
    --force asks for it.
    """
    asked: dict[str, Any] = {"profile": profile, "quality": quality, "preset": preset, "effort": effort}
    asked |= {"seed": seed, "timeout": timeout, "start_timeout": start_timeout}
    given = given_options(asked | {"target_psnr": target_psnr, "max_bytes": max_bytes})
    if output == STDOUT:
        raise InvalidSettings("-o - is for one bundle, and so for regrow encode: say in which folder these go")
    chosen = choose(images, recursive=recursive)
    chosen.tell()
    targets = _to_do(chosen.targets(output), force=force)
    refused = _refuse(targets)
    files = [file for file in targets if file not in refused]
    options = cast("EncodeOptions", {**given, "priority": priority})
    reports: list[dict[str, Any]] = []
    if files:
        reports = _encode(server, key, {file: targets[file] for file in files}, options, as_json=as_json, force=force)
    if effort is None:
        _tell_of_drafts(reports)
    if len(reports) < len(targets):
        raise NotAllEncoded(f"{len(targets) - len(reports)} of {counted(len(targets), 'image')} have no bundle")
    if chosen.unreadable:
        raise typer.Exit(1)


def _tell_of_drafts(reports: Sequence[Mapping[str, Any]]) -> None:
    """What was chosen where no effort was named."""
    drafts = sum(report["effort"] == Effort.DRAFT for report in reports)
    if drafts:
        some = counted(drafts, "image")
        complain(f"{some} got effort draft: standard, by --effort standard, would take over a minute")


def _encode(
    server: str, key: str | None, targets: Mapping[Path, Path], options: EncodeOptions, *, as_json: bool, force: bool
) -> list[dict[str, Any]]:
    """Send them, wait, and write their bundles; the reports of those that there are."""
    files, reports = list(targets), list[dict[str, Any]]()
    with connect(server, key) as client, progress_bar() as bars:
        bar = bars.add_task("sending", total=float(len(files)), note="")
        waiting = send(client, files, options)
        progress = dict.fromkeys(files, 0.0)
        while waiting:
            for file, image in list(waiting.items()):
                if image.has_ended:
                    del waiting[file]
                    reports += _fetch(client, file, targets[file], image, as_json=as_json, force=force)
                progress[file] = 1.0 if image.has_ended else image.progress
            note = f"{len(files) - len(waiting)} of {len(files)} images"
            bars.update(bar, description="encoding", completed=sum(progress.values()), note=note)
            if waiting:
                time.sleep(POLL_SECONDS)
                waiting = look(client, waiting)
    return reports


def _to_do(targets: dict[Path, Path], *, force: bool) -> dict[Path, Path]:
    """The images whose bundle is not there yet; all of them with `force`."""
    done = [] if force else [file for file, target in targets.items() if os.path.isfile(target)]  # noqa: PTH113
    if done:
        complain(f"left out {counted(len(done), 'image')} whose bundle is there already: --force makes it again")
    return {file: target for file, target in targets.items() if file not in done}


def _refuse(targets: Mapping[Path, Path]) -> set[Path]:
    """The files whose bundle cannot be written, each told in a line."""
    refused: set[Path] = set()
    first: dict[Path, Path] = {}
    for file, target in targets.items():
        try:
            refuse_unwritable(target, force=True)
            other = first.setdefault(target.resolve(), file)
            if other is not file:
                raise InvalidSettings(f"{other} and {file} would both become {target}: rename one of them")
        except (InvalidSettings, OSError) as error:
            complain_of(file, error)
            refused.add(file)
    return refused


def _fetch(
    client: Client, file: Path, target: Path, image: Sent, *, as_json: bool, force: bool
) -> list[dict[str, Any]]:
    """Write the bundle of a job that has ended; its report, if there is one."""
    if image.job_id is None or image.state != "succeeded":
        complain(f"{file}: {image.reason or image.state}")
        return []
    try:
        bundle = client.bundle(image.job_id)
        report = client.report(image.job_id)
        write_whole(target, bundle, force=force)
    except (Refused, RegrowError, OSError) as error:  # where nobody answers, nor will it be for the others
        complain_of(file, error)
        return []
    if as_json:
        print(json.dumps({"image": printable(file), "bundle": printable(target), "job": image.job_id, **report}))
    else:
        print(f"{printable(target)}: {report['psnr']:.2f} dB, {report['bytes']} bytes")
    if (words := unused(report["bytes"], report["max_bytes"], report.get("next_bytes"))) is not None:
        complain(f"{file}: {words}")
    return [report]
