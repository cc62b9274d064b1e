"""`regrow encode`: images to bundles, on this machine, without a server."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.progress import Progress

from regrow.cli.console import complain, complain_of, progress_bar
from regrow.cli.files import STDIN, Force, Images, descriptor_of, is_stream, refuse_unwritable, words_for, write_whole
from regrow.cli.options import (
    CoderOption,
    EffortOption,
    MaxBytesOption,
    PresetOption,
    ProfileOption,
    QualityOption,
    SeedNumberOption,
    SeedOption,
    TargetPsnrOption,
    given_options,
    unused,
)
from regrow.cli.pictures import Chosen, Recursive, choose
from regrow.core.codec import encode as codec
from regrow.core.codec.encode import EncodeProgress
from regrow.core.codec.encode.effort import advice, with_default_effort
from regrow.core.codec.encode.pricing import refuse_impossible, units_of
from regrow.core.codec.encode.report import Report, make_report
from regrow.core.codec.images import Picture
from regrow.core.codec.options import settings_of
from regrow.core.codec.presets import Effort
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import InvalidSettings, RegrowError
from regrow.core.names import printable

LAST_SHARE = 0.02
"""How much assembling and comparing with other codecs add to the progress bar, as a share of the fitting."""


def encode(
    images: Annotated[
        list[Path], typer.Argument(help="PNG, JPEG or WebP files (- for standard input), or folders of them")
    ],
    output: Annotated[
        str | None,  # a path would lose the slash at its end
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="The bundle (- for standard output); a folder for several, for folders, or if it ends in /",
        ),
    ] = None,
    profile: ProfileOption = None,
    quality: QualityOption = None,
    preset: PresetOption = None,
    effort: EffortOption = None,
    seed: SeedOption = None,
    seed_number: SeedNumberOption = None,
    target_psnr: TargetPsnrOption = None,
    max_bytes: MaxBytesOption = None,
    coder: CoderOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON report per image")] = False,
    recursive: Recursive = False,
    force: Force = False,
) -> None:
    """Encode images into bundles (IMAGE.gnca beside each image, unless -o says where).

    An image that cannot be encoded costs a line, and exit code 1 at the end; the others are done.
    """
    options: dict[str, Any] = {"profile": profile, "quality": quality, "preset": preset, "effort": effort, "seed": seed}
    options |= {"seed_number": seed_number, "coder": coder, "target_psnr": target_psnr, "max_bytes": max_bytes}
    asked = Asked(settings_of(given_options(options)), effort)
    chosen = choose(images, recursive=recursive)
    chosen.tell()
    targets = _targets(chosen, output)
    files = Images()
    ready = _checked(targets, files, asked, force=force)  # all are looked at before the first is trained
    failed = len(targets) - len(ready) + len(chosen.unreadable)
    failed += _encode_all({image: targets[image] for image in ready}, files, asked, as_json=as_json, force=force)
    if failed:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for. effort: None for one that suits each picture; settings then have a stand-in."""

    settings: EncodeSettings
    effort: Effort | None

    def settings_for(self, picture: Picture) -> EncodeSettings:
        return self.settings if self.effort is not None else with_default_effort(picture, self.settings)


def _targets(chosen: Chosen, output: str | None) -> dict[Path, Path]:
    """Where the bundle of each picture goes; a folder that is meant is made. Raises InvalidSettings."""
    if output is None:
        for image in chosen.files:
            if image == STDIN or descriptor_of(image) is not None:
                raise InvalidSettings(f"{image} has no name for its bundle: say with -o where it goes")
        return chosen.targets(None)
    target = Path(output)
    if not (target.is_dir() or chosen.are_of_a_folder or len(chosen.files) > 1 or output.endswith("/")):
        return dict.fromkeys(chosen.files, target)
    if is_stream(target) or target.is_file():
        raise InvalidSettings(f"{output} is not a folder: several images need one to put their bundles in")
    return chosen.targets(target)


def _checked(targets: Mapping[Path, Path], files: Images, asked: Asked, *, force: bool) -> list[Path]:
    """The images that can be encoded, and a line for each of the others."""
    ready: dict[Path, Path] = {}  # by the bundle that they become
    for image, target in targets.items():
        try:
            refuse_unwritable(target, force=force)
            picture, _ = files.read(image)
            refuse_impossible(picture, asked.settings_for(picture))
            other = ready.setdefault(target.resolve(), image)
            if other is not image:
                raise InvalidSettings(f"{other} and {image} would both become {target}: encode one of them elsewhere")
        except (RegrowError, OSError) as error:
            complain_of(image, error)
    return list(ready.values())


def _tell(image: Path, target: Path, report: Report, *, as_json: bool) -> None:
    """Print what has become of an image: its report, as lines or as JSON."""
    stream = words_for(target)
    if as_json:
        facts = {"image": printable(image), "bundle": printable(target), **report.model_dump()}
        print(json.dumps(facts), file=stream)
    else:
        size = f"{report.psnr:.2f} dB, {report.bytes} bytes, {report.bits_per_pixel:.2f} bits/pixel"
        print(f"{printable(target)}: {size}", file=stream)
        if report.colours and report.colours.startswith("converted"):
            print(f"  colours {report.colours}", file=stream)
        _show_others(report, stream)
    if report.target_met is False:
        complain(f"{image}: the best found is {report.psnr:.2f} dB, not {report.target_psnr:g} dB")
    if (words := unused(report.bytes, report.max_bytes, report.next_bytes)) is not None:
        complain(f"{image}: {words}")


def _show_others(report: Report, stream: TextIO) -> None:
    """What other codecs make of the image in as many bytes."""
    for other in report.others:
        ssim = "" if other.ssim is None else f", SSIM {other.ssim:.3f}"
        size = f"{other.bytes} bytes" if other.fits else f"{other.bytes} bytes, its smallest file"
        print(f"  {other.codec:10}  {other.psnr:5.2f} dB{ssim}  ({size})", file=stream)
    if report.others_note:
        print(f"  note: {report.others_note}", file=stream)


def _encode_all(targets: Mapping[Path, Path], files: Images, asked: Asked, *, as_json: bool, force: bool) -> int:
    """Encode each image into its bundle, and tell of it; how many could not be."""
    failed = 0
    with progress_bar() as bars:
        for image, target in targets.items():
            try:
                report = _encode_one(image, files, asked, target, bars, force=force)
            except (RegrowError, OSError) as error:
                complain_of(image, error)
                failed += 1
            else:
                _tell(image, target, report, as_json=as_json)
    return failed


def _encode_one(image: Path, files: Images, asked: Asked, target: Path, bars: Progress, *, force: bool) -> Report:
    """Raises ImageError where the file was changed meanwhile, BudgetTooSmall, OSError."""
    picture, original_bytes = files.read(image)
    settings = asked.settings_for(picture)
    if asked.effort is None:
        complain(f"{image}: {advice(picture, settings)}")
    start, total = time.monotonic(), units_of(picture, settings)
    bar = bars.add_task(printable(image.name), total=total * (1 + LAST_SHARE), note="")

    def show(progress: EncodeProgress) -> None:
        bars.update(bar, completed=progress.patches_done, note=progress.phase)

    encoded = codec.encode(picture, settings, on_progress=show)
    write_whole(target, encoded.bundle, force=force)
    elapsed = time.monotonic() - start
    bars.update(bar, note="comparing")
    report = make_report(
        picture,
        settings,
        encoded,
        original_bytes=original_bytes,
        patch_iterations=encoded.patch_iterations,
        device_seconds=elapsed,
        elapsed_seconds=elapsed,
        colours=picture.colours,
        source_format=picture.source_format,
    )
    bars.update(bar, completed=total * (1 + LAST_SHARE), note=f"{report.psnr:.2f} dB")
    return report
