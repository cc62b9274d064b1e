"""`regrow bench`: the measurements of benchmarks/, as tables or JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regrow.cli import bench_seeds
from regrow.cli.bench_options import AsJson, AsMarkdown, Images, bar_teller
from regrow.cli.bench_tables import show_result
from regrow.cli.console import console as errors
from regrow.cli.console import progress_bar
from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.profile import Profile
from regrow.core.codec.seeds import SeedKind
from regrow.core.errors import InvalidSettings

if TYPE_CHECKING:
    from regrow.core.codec.images import Picture

app = typer.Typer(help="Measure this machine. Ratios are measured in one run.", no_args_is_help=True)

app.command()(bench_seeds.seams)
app.command("seeds-speed")(bench_seeds.seeds_speed)
app.command()(bench_seeds.ablation)


@app.command()
def engine(
    images: Images = None,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
    goal: Annotated[bool, typer.Option(help="Measure the time to the paper's PSNR too, which takes minutes")] = True,
    plot: Annotated[Path | None, typer.Option(help="Write a plot (PNG or SVG)")] = None,
) -> None:
    """How fast rules are fitted: every engine, the paper's loop, the machine's own peak."""
    from regrow.benchmarks.engine import bench_engine
    from regrow.benchmarks.pictures import load_pictures

    if plot is not None:  # before minutes of measuring: it may not be installed
        from regrow.benchmarks.engine_plot import plot_engine
    with errors.status("measuring (some minutes)"):
        result = bench_engine(load_pictures(images), goal=goal)
    if plot is not None:
        plot_engine(result, plot)
    show_result(result, as_json=as_json, as_markdown=as_markdown)


@app.command()
def quality(
    images: Images = None,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
    seed: Annotated[SeedKind, typer.Option(help="What pictures are grown from")] = SeedKind.SCAFFOLD,
    effort: Annotated[Effort, typer.Option(help="How long to train")] = Effort.STANDARD,
    rounded: Annotated[bool, typer.Option(help="Train with weight noise too, and round")] = True,
) -> None:
    """PSNR of every preset at 40×40, before and after rounding, against the paper's table."""
    from regrow.benchmarks.pictures import load_pictures
    from regrow.benchmarks.quality import bench_quality

    with errors.status("fitting"):
        result = bench_quality(load_pictures(images), seed, effort, rounded=rounded)
    show_result(result, as_json=as_json, as_markdown=as_markdown)


@app.command()
def steps(images: Images = None, as_json: AsJson = False, as_markdown: AsMarkdown = False) -> None:
    """How many steps a rollout needs, per kind of seed, at the same work."""
    from regrow.benchmarks.pictures import load_pictures
    from regrow.benchmarks.steps import bench_steps

    with errors.status("fitting"):
        result = bench_steps(load_pictures(images))
    show_result(result, as_json=as_json, as_markdown=as_markdown)


@app.command()
def decode(images: Images = None, as_json: AsJson = False, as_markdown: AsMarkdown = False) -> None:
    """How fast pictures are regrown: kernel, whole picture, cold start; against this machine's peak and JPEG."""
    from regrow.benchmarks.decode import SIDE, bench_decode
    from regrow.benchmarks.pictures import load_pictures

    with errors.status("measuring"):
        result = bench_decode(load_pictures(images, SIDE)[0])
    show_result(result, as_json=as_json, as_markdown=as_markdown)


@app.command()
def rd(
    images: Images = None,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
    side: Annotated[int, typer.Option(min=11, max=1024, help="Photos are resized to so many pixels a side")] = 40,
    crop: Annotated[int | None, typer.Option(min=11, help="Not resized: the middle, so many pixels a side")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Not resized: photos as they are")] = False,
    profile: Annotated[list[Profile] | None, typer.Option(help="Measured of ours; several times for several")] = None,
    effort: Annotated[Effort, typer.Option(help="How long to train, or to search")] = Effort.STANDARD,
    presets: Annotated[list[Preset] | None, typer.Option(help="Sizes of rules; give it several times")] = None,
    avif_speed: Annotated[int, typer.Option(min=0, max=10, help="0 is slowest and smallest; 2 costs about 1 %")] = 0,
    known: Annotated[Path | None, typer.Option(dir_okay=False, help="Remember measured files here, to go on")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a plot (PNG or SVG)")] = None,
) -> None:
    """Bytes against PSNR and SSIM: both profiles, beside JPEG, JPEG 2000, WebP, AVIF and JPEG XL.

    The profile `rules` takes hours for large photos.
    """
    from regrow.benchmarks.rd import Asked, bench_rd
    from regrow.benchmarks.rd_store import KnownFiles, Measurer

    if plot is not None:  # before minutes of fitting: it may not be installed
        from regrow.benchmarks.rd_plot import plot_rd
    pictures, what = _cut_as_asked(images, side, crop, whole=whole)
    asked = Asked(what, effort, profile or tuple(Profile), presets or tuple(Preset), avif_speed)
    with progress_bar() as bars:
        result = bench_rd(pictures, asked, Measurer(KnownFiles(known), bar_teller(bars)))
    if plot is not None:
        plot_rd(result, plot)
    show_result(result, as_json=as_json, as_markdown=as_markdown)


@app.command()
def scale(
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
    patches: Annotated[list[int] | None, typer.Option(min=1, help="Sizes of jobs; give it several times")] = None,
    workers: Annotated[list[int] | None, typer.Option(min=1, max=64, help="Numbers of worker processes")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a plot (PNG or SVG)")] = None,
) -> None:
    """The queue without the fits: batches a second, memory, latencies, efficiency; and what a large fleet would ask."""
    from regrow.benchmarks.scale import PATCHES, WORKERS, bench_scale

    if plot is not None:  # before minutes of measuring: it may not be installed
        from regrow.benchmarks.scale_plot import plot_scale
    with errors.status("measuring (some minutes)"):
        result = bench_scale(patches or PATCHES, workers or WORKERS)
    if plot is not None:
        plot_scale(result, plot)
    show_result(result, as_json=as_json, as_markdown=as_markdown)


@app.command()
def service(
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
    quick: Annotated[bool, typer.Option(help="Half a minute instead of many: for a first look")] = False,
    plot: Annotated[Path | None, typer.Option(help="Write a plot (PNG or SVG)")] = None,
) -> None:
    """The API: pictures a second beside a plain file of the same bytes, uploads, memory, latency under fitting."""
    from regrow.benchmarks.service import FULL, QUICK, bench_service

    if plot is not None:  # before minutes of measuring: it may not be installed
        from regrow.benchmarks.service_plot import plot_service
    with errors.status("measuring (some minutes)"):
        result = bench_service(QUICK if quick else FULL)
    if plot is not None:
        plot_service(result, plot)
    show_result(result, as_json=as_json, as_markdown=as_markdown)


@app.command()
def png(as_json: AsJson = False, as_markdown: AsMarkdown = False) -> None:
    """Time and bytes of PNG files over zlib's levels and strategies, beside level 3 as Pillow has it."""
    from regrow.benchmarks.png_settings import bench_png

    with errors.status("measuring (a minute)"):
        result = bench_png()
    show_result(result, as_json=as_json, as_markdown=as_markdown)


@app.command()
def show(
    results: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Files that --json wrote")],
    as_markdown: AsMarkdown = False,
) -> None:
    """Print saved results as tables."""
    for path in results:
        show_result(json.loads(path.read_text()), as_json=False, as_markdown=as_markdown)


def _cut_as_asked(images: Path | None, side: int, crop: int | None, *, whole: bool) -> tuple[list[Picture], str]:
    """The photos, and what was made of them. Raises InvalidSettings."""
    from regrow.benchmarks.pictures import load_crops, load_pictures, load_whole

    if whole and crop is not None:
        raise InvalidSettings("give --crop or --whole, not both")
    if whole:
        return load_whole(images), "whole"
    if crop is not None:
        return load_crops(images, crop), f"the middle {crop}×{crop}"
    return load_pictures(images, side), f"resized to {side}×{side}"
