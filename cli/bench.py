"""`regrow bench`: the measurements of benchmarks/, as tables or JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from regrow.cli.console import console as errors
from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.seeds import SeedKind

app = typer.Typer(help="Measure this machine. Ratios are measured in one run.", no_args_is_help=True)

Images = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="A folder of photos; without it, three of scikit-image's"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown, as in docs/results")]


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
    _show(result, as_json=as_json, as_markdown=as_markdown)


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
    _show(result, as_json=as_json, as_markdown=as_markdown)


@app.command()
def steps(images: Images = None, as_json: AsJson = False, as_markdown: AsMarkdown = False) -> None:
    """How many steps a rollout needs, per kind of seed, at the same work."""
    from regrow.benchmarks.pictures import load_pictures
    from regrow.benchmarks.steps import bench_steps

    with errors.status("fitting"):
        result = bench_steps(load_pictures(images))
    _show(result, as_json=as_json, as_markdown=as_markdown)


@app.command()
def decode(images: Images = None, as_json: AsJson = False, as_markdown: AsMarkdown = False) -> None:
    """How fast pictures are regrown: kernel, whole picture, cold start; against this machine's peak and JPEG."""
    from regrow.benchmarks.decode import SIDE, bench_decode
    from regrow.benchmarks.pictures import load_pictures

    with errors.status("measuring"):
        result = bench_decode(load_pictures(images, SIDE)[0])
    _show(result, as_json=as_json, as_markdown=as_markdown)


@app.command()
def rd(
    images: Images = None,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
    side: Annotated[int, typer.Option(min=11, max=1024, help="Photos are resized to so many pixels a side")] = 40,
    effort: Annotated[Effort, typer.Option(help="How long to train")] = Effort.STANDARD,
    presets: Annotated[list[Preset] | None, typer.Option(help="Sizes of rules; give it several times")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a plot (PNG or SVG)")] = None,
) -> None:
    """Bytes against PSNR: every preset and the best of them, beside JPEG, JPEG 2000, WebP and AVIF."""
    from regrow.benchmarks.pictures import load_pictures
    from regrow.benchmarks.rd import bench_rd

    if plot is not None:  # before minutes of fitting: it may not be installed
        from regrow.benchmarks.rd_plot import plot_rd
    with errors.status("fitting"):
        result = bench_rd(load_pictures(images, side), effort, presets or tuple(Preset))
    if plot is not None:
        plot_rd(result, plot)
    _show(result, as_json=as_json, as_markdown=as_markdown)


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
    _show(result, as_json=as_json, as_markdown=as_markdown)


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
    _show(result, as_json=as_json, as_markdown=as_markdown)


@app.command()
def png(as_json: AsJson = False, as_markdown: AsMarkdown = False) -> None:
    """Time and bytes of PNG files over zlib's levels and strategies, beside level 3 as Pillow has it."""
    from regrow.benchmarks.png_settings import bench_png

    with errors.status("measuring (a minute)"):
        result = bench_png()
    _show(result, as_json=as_json, as_markdown=as_markdown)


@app.command()
def show(
    results: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Files that --json wrote")],
    as_markdown: AsMarkdown = False,
) -> None:
    """Print saved results as tables."""
    for path in results:
        _show(json.loads(path.read_text()), as_json=False, as_markdown=as_markdown)


def _show(result: dict[str, Any], *, as_json: bool, as_markdown: bool) -> None:
    """The result as JSON, or each list in it as a table and the rest as lines."""
    if as_json:
        print(json.dumps(result, indent=2))
        return
    out = Console()
    for name, value in result.items():
        rows = _rows(value)
        if rows is None:
            print(f"{name.replace('_', ' ')}: {_text(value)}")
        elif rows and as_markdown:
            print(_markdown(name, rows))
        elif rows:
            out.print(_table(name, rows))


def _rows(value: object) -> list[dict[str, Any]] | None:
    if isinstance(value, dict):
        return [{"": str(key).replace("_", " "), "value": item} for key, item in value.items()]
    return value if isinstance(value, list) else None


def _table(name: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=name.replace("_", " "), title_justify="left")
    for column in rows[0]:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    return table


def _markdown(name: str, rows: list[dict[str, Any]]) -> str:
    head = " | ".join(column.replace("_", " ") for column in rows[0])
    lines = [" | ".join(_text(value) for value in row.values()) for row in rows]
    rule = "|".join("---" for _ in rows[0])
    body = [f"| {head} |", f"|{rule}|", *(f"| {line} |" for line in lines)]
    return "\n".join([f"**{name.replace('_', ' ')}**", "", *body, ""])


def _text(value: object) -> str:
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
