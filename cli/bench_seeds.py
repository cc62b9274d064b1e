"""Commands of `regrow bench` on the profile `seeds`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from regrow.cli.bench_options import AsJson, AsMarkdown, Images, bar_teller
from regrow.cli.bench_tables import show_result
from regrow.cli.console import progress_bar
from regrow.core.codec.presets import Effort


def seams(
    images: Images = None,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
    effort: Annotated[Effort, typer.Option(help="How long to search")] = Effort.STANDARD,
    picture: Annotated[Path | None, typer.Option(help="Write seams, enlarged, to look at (PNG)")] = None,
) -> None:
    """What patches of the profile `seeds` lose where they meet, over whole photos."""
    from regrow.benchmarks.pictures import load_whole
    from regrow.benchmarks.seams import bench_seams
    from regrow.benchmarks.seams_plot import plot_seams

    pictures = load_whole(images)
    with progress_bar() as bars:
        result, found = bench_seams(pictures, effort, bar_teller(bars))
    if picture is not None:
        plot_seams(pictures, found, picture)
    show_result(result, as_json=as_json, as_markdown=as_markdown)


def seeds_speed(images: Images = None, as_json: AsJson = False, as_markdown: AsMarkdown = False) -> None:
    """How fast the profile `seeds` encodes and decodes, cold too, and in how much memory; beside `rules` and JPEG."""
    from regrow.benchmarks.pictures import load_pictures
    from regrow.benchmarks.seeds_speed import LARGE, SMALL, bench_seeds_speed

    large, small = (load_pictures(images, side)[0] for side in (LARGE, SMALL))
    with progress_bar() as bars:
        result = bench_seeds_speed(large, small, tell=bar_teller(bars))
    show_result(result, as_json=as_json, as_markdown=as_markdown)


def ablation(
    photos: Annotated[list[Path], typer.Argument(help="Photos and folders of them to learn from, each with a LICENSE")],
    folder: Annotated[Path, typer.Option(help="Where the models learn, and go on when the command is given again")],
    images: Images = None,
    side: Annotated[int, typer.Option(min=40, help="Measured are photos, resized to so many pixels a side")] = 40,
    crop: Annotated[int | None, typer.Option(min=40, help="And their middle, so many pixels a side")] = None,
    iterations: Annotated[int, typer.Option(min=1, help="Of each model")] = 3000,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """What growth, contexts and levels of the profile `seeds` are worth: models that learn without them (hours)."""
    from regrow.benchmarks.ablation import AblationPlan, bench_ablation
    from regrow.benchmarks.pictures import load_crops, load_pictures
    from regrow.core.codec.learn.photos import load_photos

    sets = {f"resized to {side}×{side}": load_pictures(images, side)}
    if crop is not None:
        sets[f"the middle {crop}×{crop}"] = load_crops(images, crop)
    with progress_bar() as bars:
        tell = bar_teller(bars)
        result = bench_ablation(
            load_photos(photos),
            sets,
            AblationPlan(iterations, folder),
            lambda name, progress: tell(name, progress.iteration, progress.iterations),
        )
    show_result(result, as_json=as_json, as_markdown=as_markdown)
