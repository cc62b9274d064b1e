"""`regrow bench`: the measurements of benchmarks/, as tables or JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.console import console as errors
from core.codec.presets import Effort
from core.codec.seeds import SeedKind

app = typer.Typer(help="Measure this machine. Ratios are measured in one run.", no_args_is_help=True)

Images = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="A folder of photos; without it, three of scikit-image's"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]


@app.command()
def engine(
    images: Images = None,
    as_json: AsJson = False,
    goal: Annotated[bool, typer.Option(help="Measure the time to the paper's PSNR too, which takes minutes")] = True,
    plot: Annotated[Path | None, typer.Option(help="Write a plot (PNG or SVG)")] = None,
) -> None:
    """How fast rules are fitted: every engine, the paper's loop, the machine's own peak."""
    from benchmarks.engine import bench_engine
    from benchmarks.pictures import load_pictures

    with errors.status("measuring (some minutes)"):
        result = bench_engine(load_pictures(images), goal=goal)
    if plot is not None:
        from benchmarks.engine_plot import plot_engine

        plot_engine(result, plot)
    _show(result, as_json)


@app.command()
def quality(
    images: Images = None,
    as_json: AsJson = False,
    seed: Annotated[SeedKind, typer.Option(help="What pictures are grown from")] = SeedKind.SCAFFOLD,
    effort: Annotated[Effort, typer.Option(help="How long to train")] = Effort.STANDARD,
    rounded: Annotated[bool, typer.Option(help="Train with weight noise too, and round")] = True,
) -> None:
    """PSNR of every preset at 40×40, before and after rounding, against the paper's table."""
    from benchmarks.pictures import load_pictures
    from benchmarks.quality import bench_quality

    with errors.status("fitting"):
        result = bench_quality(load_pictures(images), seed, effort, rounded=rounded)
    _show(result, as_json)


@app.command()
def steps(images: Images = None, as_json: AsJson = False) -> None:
    """How many steps a rollout needs, per kind of seed, at the same work."""
    from benchmarks.pictures import load_pictures
    from benchmarks.steps import bench_steps

    with errors.status("fitting"):
        result = bench_steps(load_pictures(images))
    _show(result, as_json)


def _show(result: dict[str, Any], as_json: bool) -> None:
    """The result as JSON, or each list in it as a table and the rest as lines."""
    if as_json:
        print(json.dumps(result, indent=2))
        return
    out = Console()
    for name, value in result.items():
        if isinstance(value, list):
            if value:
                out.print(_table(name, value))
        elif isinstance(value, dict):
            out.print(_table(name, [{"": key, "value": item} for key, item in value.items()]))
        else:
            out.print(f"{name}: {_text(value)}")


def _table(name: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=name.replace("_", " "), title_justify="left")
    for column in rows[0]:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    return table


def _text(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
