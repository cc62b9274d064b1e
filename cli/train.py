"""`regrow train`: learn a model of the profile `seeds` from photos."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import typer

from regrow.cli.console import progress_bar
from regrow.cli.files import Force, refuse_unwritable, write_whole
from regrow.core.errors import InvalidSettings
from regrow.core.names import printable
from regrow.core.stopping import on_stop

DEFAULT_ITERATIONS = 26_000


def train(
    photos: Annotated[list[Path], typer.Argument(help="Photos and folders of them, each with a LICENSE file beside")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The model, a .safetensors file")],
    folder: Annotated[
        Path | None, typer.Option(help="What to go on with, and the curves; MODEL.run where it is not named")
    ] = None,
    iterations: Annotated[int, typer.Option(min=1, help="In all, what was done before included")] = DEFAULT_ITERATIONS,
    seed_number: Annotated[int, typer.Option(min=0, help="Of all random numbers")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    plot: Annotated[Path | None, typer.Option(help="Write a plot of the curves (PNG or SVG)")] = None,
    force: Force = False,
) -> None:
    """Learn a model of the profile seeds. Stopped, it goes on where it was when the command is given again.

    Bundles name a model by its id: those that this release knows are part of it, and no other can be used.
    """
    from regrow.core.codec.learn.export import export  # torch takes seconds to import
    from regrow.core.codec.learn.photos import learned_from, load_photos
    from regrow.core.codec.learn.run import CURVES, RunProgress, run
    from regrow.core.codec.learn.training import TrainSettings

    if plot is not None:  # before hours of learning: it may not be installed
        from regrow.benchmarks.train_plot import plot_curves
    if device not in ("cpu", "cuda"):
        raise InvalidSettings(f"device: must be cpu or cuda, not {device}")
    refuse_unwritable(output, force=force)
    where, stop = folder or output.with_suffix(".run"), threading.Event()
    on_stop(stop.set)
    every = load_photos(photos)
    settings = TrainSettings(iterations=iterations, seed=seed_number)
    with progress_bar() as bars:
        bar = bars.add_task("learning", total=iterations, note="")

        def show(progress: RunProgress) -> None:
            judged = "" if progress.judged is None else f", held out {progress.judged.loss:.4f}"
            bars.update(bar, completed=progress.iteration, note=f"loss {progress.loss:.4f}{judged}")

        learner = run(every, where, settings, device=device, on_progress=show, should_stop=stop.is_set)
    if plot is not None:
        plot_curves(where / CURVES, plot)
    if learner.iteration < iterations:
        print(f"stopped after {learner.iteration} of {iterations} iterations; the same command goes on")
        raise typer.Exit(1)
    data = export(learner.average.cpu(), learned_from(every))
    write_whole(output, data, force=force)
    print(f"{printable(output)}: {len(data)} bytes, after {iterations} iterations on {len(learner.photos)} photos")
