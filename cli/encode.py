"""`regrow encode`: images to bundles, on this machine, without a server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer
from rich.progress import Progress, TaskID

from regrow.cli.console import complain, complain_of, progress_bar
from regrow.cli.files import STDIN, Force, Images, descriptor_of, is_stream, refuse_unwritable, words_for, write_whole
from regrow.cli.options import EFFORT_HELP, refuse_preset_with_target, unused
from regrow.cli.pictures import Chosen, Recursive, choose
from regrow.core.codec.coder import Coder
from regrow.core.codec.encode.effort import advice, with_default_effort
from regrow.core.codec.encode.plan import grid_of, refuse_impossible
from regrow.core.codec.encode.report import Report, make_report
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.seeds import SeedKind
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import InvalidSettings, RegrowError
from regrow.core.names import printable

if TYPE_CHECKING:
    from regrow.core.codec.encode.candidate import Candidate
    from regrow.core.codec.fit.task import FitProgress

PATCHES_AT_ONCE = 64
"""Fitted side by side: enough to keep every core busy, few enough for a laptop's memory."""

LAST_SHARE = 0.02
"""Of the fitting's work, about, that assembling and comparing with other codecs take after it."""


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
    preset: Annotated[
        Preset | None, typer.Option(help="Size of the rules, small if not given; a target chooses it per patch")
    ] = None,
    effort: Annotated[Effort | None, typer.Option(help=EFFORT_HELP)] = None,
    seed: Annotated[SeedKind, typer.Option(help="What pictures are grown from")] = SeedKind.SCAFFOLD,
    seed_number: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the random numbers used")] = 0,
    target_psnr: Annotated[
        float | None, typer.Option(help="dB to reach in as few bytes as possible; presets are chosen per patch")
    ] = None,
    max_bytes: Annotated[
        int | None, typer.Option(help="Size of the whole file, for a picture as good as possible within it")
    ] = None,
    coder: Annotated[Coder, typer.Option(help="How weights are written: entropy coded, or a byte each")] = Coder.ANS,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON report per image")] = False,
    recursive: Recursive = False,
    force: Force = False,
) -> None:
    """Encode images into bundles (IMAGE.gnca beside each image, unless -o says where).

    An image that cannot be encoded costs a line, and exit code 1 at the end; the others are done.
    """
    refuse_preset_with_target(preset, target_psnr, max_bytes)
    asked = Asked(
        EncodeSettings(
            preset or Preset.SMALL,
            effort or Effort.DRAFT,
            seed,
            seed_number,
            coder=coder,
            target_psnr=target_psnr,
            max_bytes=max_bytes,
        ),
        effort,
    )
    chosen = choose(images, recursive=recursive)
    chosen.tell()
    targets = _targets(chosen, output)
    files = Images()
    ready = _checked(targets, files, asked, force=force)  # all are looked at before the first is trained
    failed = len(targets) - len(ready) + len(chosen.unreadable)
    with progress_bar() as bars:
        for image in ready:
            try:
                report = _encode_one(image, files, asked, targets[image], bars, force=force)
            except (RegrowError, OSError) as error:
                complain_of(image, error)
                failed += 1
            else:
                _tell(image, targets[image], report, as_json=as_json)
    if failed:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class Asked:
    """settings: with a stand-in where no effort was asked for. effort: None for one that suits the picture."""

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
    """What has become of an image."""
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


def _encode_one(image: Path, files: Images, asked: Asked, target: Path, bars: Progress, *, force: bool) -> Report:
    """Raises ImageError where the file was changed meanwhile, BudgetTooSmall, OSError."""
    from regrow.core.codec.encode.assemble import assemble  # numba's kernels take seconds to load
    from regrow.core.codec.encode.encoder import encode_patches
    from regrow.core.codec.fit.engines import make_engine
    from regrow.core.codec.fit.fitting import fit
    from regrow.core.codec.fit.task import FitHooks

    picture, original_bytes = files.read(image)
    settings = asked.settings_for(picture)
    if asked.effort is None:
        complain(f"{image}: {advice(picture, settings)}")
    engine, start = make_engine(), time.monotonic()
    total = grid_of(picture).count
    bar = bars.add_task(printable(image.name), total=total * (1 + LAST_SHARE), note="")
    candidates: list[list[Candidate]] = []
    iterations = 0
    for first in range(0, total, PATCHES_AT_ONCE):
        some = range(first, min(first + PATCHES_AT_ONCE, total))
        hooks = FitHooks(on_progress=_shows(bars, bar, first))
        encoded = encode_patches(picture, some, settings, lambda task, hooks: fit(engine, task, hooks), hooks)
        candidates += encoded.candidates
        iterations += encoded.patch_iterations
    bars.update(bar, note="assembling")
    result = assemble(picture, settings, candidates)
    write_whole(target, result.bundle, force=force)
    elapsed = time.monotonic() - start
    bars.update(bar, note="comparing")
    report = make_report(
        picture,
        settings,
        result,
        patches=total,
        original_bytes=original_bytes,
        patch_iterations=iterations,
        device_seconds=elapsed,
        elapsed_seconds=elapsed,
        colours=picture.colours,
        source_format=picture.source_format,
    )
    bars.update(bar, completed=total * (1 + LAST_SHARE), note=f"{report.psnr:.2f} dB")
    return report


def _shows(bars: Progress, bar: TaskID, patches_before: int) -> Callable[[FitProgress], None]:
    """Moves a bar that counts patches, and says what is done with them."""

    def show(progress: FitProgress) -> None:
        bars.update(bar, completed=patches_before + float(progress.share.sum()), note=progress.phase)

    return show
