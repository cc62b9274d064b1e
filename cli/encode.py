"""`regrow encode`: images to bundles, on this machine, without a server."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress, TaskID

from cli.console import progress_bar
from cli.files import read_image, refuse_unwritable, write_whole
from core.codec.budget import refuse_impossible
from core.codec.images import Picture
from core.codec.metrics import psnr_from_mse
from core.codec.payload import Coder
from core.codec.presets import Effort, Preset
from core.codec.report import Report, make_report
from core.codec.seeds import SeedKind
from core.codec.settings import EncodeSettings
from core.errors import BudgetTooSmall, InvalidSettings

if TYPE_CHECKING:
    from core.codec.allocation import Candidate
    from core.codec.fit_task import FitProgress

PATCHES_AT_ONCE = 64
"""Fitted side by side: enough to keep every core busy, few enough for a laptop's memory."""


def encode(
    images: Annotated[list[Path], typer.Argument(help="PNG, JPEG or WebP files")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The bundle, or a folder for several images")
    ] = None,
    preset: Annotated[
        Preset, typer.Option(help="Size of the rules; with a target it is chosen per patch")
    ] = Preset.SMALL,
    effort: Annotated[Effort, typer.Option(help="How long to train")] = Effort.DRAFT,
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
) -> None:
    """Encode images into bundles (IMAGE.gnca beside each image, unless -o says where)."""
    settings = EncodeSettings(
        preset, effort, seed, seed_number, coder=coder, target_psnr=target_psnr, max_bytes=max_bytes
    )
    targets = [_output_path(image, output, several=len(images) > 1) for image in images]
    _refuse_clashes(images, targets)
    for target in targets:
        refuse_unwritable(target)
    pictures = [read_image(image) for image in images]  # all are checked before the first is trained
    for image, (picture, _) in zip(images, pictures, strict=True):
        with _naming(image):
            refuse_impossible(picture, settings)
    with progress_bar() as bars:
        for image, (picture, original_bytes), target in zip(images, pictures, targets, strict=True):
            with _naming(image):
                report = _encode_one(image.name, picture, original_bytes, settings, target, bars)
            if as_json:
                print(json.dumps({"image": str(image), "bundle": str(target), **report.model_dump()}))
            else:
                print(f"{target}: {report.psnr:.2f} dB, {report.bytes} bytes, {report.bits_per_pixel:.2f} bits/pixel")
                if report.colours and report.colours.startswith("converted"):
                    print(f"  colours {report.colours}")
                _show_others(report)
            if report.target_met is False:
                print(f"{image}: the best found is {report.psnr:.2f} dB, not {target_psnr:g} dB", file=sys.stderr)


@contextlib.contextmanager
def _naming(image: Path) -> Iterator[None]:
    """Say which image it is whose budget is too small."""
    try:
        yield
    except BudgetTooSmall as error:
        raise BudgetTooSmall(f"{image}: {error}") from error


def _show_others(report: Report) -> None:
    """What other codecs make of the image in as many bytes."""
    for other in report.others:
        ssim = "" if other.ssim is None else f", SSIM {other.ssim:.3f}"
        size = f"{other.bytes} bytes" if other.fits else f"{other.bytes} bytes, its smallest file"
        print(f"  {other.codec:10}  {other.psnr:5.2f} dB{ssim}  ({size})")
    if report.others_note:
        print(f"  note: {report.others_note}")


def _output_path(image: Path, output: Path | None, *, several: bool) -> Path:
    if output is None:
        return image.with_suffix(".gnca")
    if output.is_dir():
        return output / image.with_suffix(".gnca").name
    if several:
        raise InvalidSettings(f"{output} is not a folder: several images need one to put their bundles in")
    return output


def _refuse_clashes(images: list[Path], targets: list[Path]) -> None:
    """Two images that would become the same file are refused before either is trained."""
    first: dict[Path, Path] = {}
    for image, target in zip(images, targets, strict=True):
        other = first.setdefault(target.resolve(), image)
        if other is not image:
            raise InvalidSettings(f"{other} and {image} would both become {target}: encode one of them elsewhere")


def _encode_one(
    name: str, picture: Picture, original_bytes: int, settings: EncodeSettings, target: Path, bars: Progress
) -> Report:
    from core.codec.codec import assemble, grid_of  # numba's kernels take seconds to load
    from core.codec.encoder import encode_patches
    from core.codec.engines import make_engine
    from core.codec.fit import fit
    from core.codec.fit_task import FitHooks

    engine, start = make_engine(), time.monotonic()
    total = grid_of(picture).count
    bar = bars.add_task(name, total=total, note="")
    candidates: list[list[Candidate]] = []
    iterations = 0
    for first in range(0, total, PATCHES_AT_ONCE):
        some = range(first, min(first + PATCHES_AT_ONCE, total))
        hooks = FitHooks(on_progress=_shows(bars, bar, first))
        encoded = encode_patches(picture, some, settings, lambda task, hooks: fit(engine, task, hooks), hooks)
        candidates += encoded.candidates
        iterations += encoded.patch_iterations
    result = assemble(picture, settings, candidates)
    write_whole(target, result.bundle)
    elapsed = time.monotonic() - start
    return make_report(
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


def _shows(bars: Progress, bar: TaskID, patches_before: int) -> Callable[[FitProgress], None]:
    """Moves a bar that counts patches."""

    def show(progress: FitProgress) -> None:
        mean = float(progress.mse.mean())
        note = f"{psnr_from_mse(mean * 255**2):.1f} dB" if mean < 1 else ""
        bars.update(bar, completed=patches_before + float(progress.share.sum()), note=note)

    return show
