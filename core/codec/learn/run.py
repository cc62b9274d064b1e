"""A whole training run in a folder: goes on where it stopped, and leaves its curves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from regrow.core.codec.learn import checkpoint
from regrow.core.codec.learn.photos import Photo, held_out, learned_from
from regrow.core.codec.learn.shape import ModelShape
from regrow.core.codec.learn.training import Judgement, Learner, TrainSettings, judge

CHECKPOINT, TRUNK, CURVES, MANIFEST = "checkpoint.npz", "trunk.npz", "curves.json", "photos.json"
SAVE_SECONDS = 60.0
JUDGE_EVERY = 500


@dataclass(frozen=True, slots=True)
class RunProgress:
    """loss: the mean since the last report. judged: the last judgement by held-out photos, if there is one."""

    iteration: int
    iterations: int
    loss: float
    judged: Judgement | None


def run(
    photos: Sequence[Photo],
    folder: Path,
    settings: TrainSettings,
    shape: ModelShape | None = None,
    *,
    device: str = "cpu",
    on_progress: Callable[[RunProgress], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Learner:
    """Learn until the settings' last iteration, or until asked to stop; then the folder has what to go on with.

    A run that was to be shorter goes on from where its learning rate began to fall. Raises DamagedCheckpoint,
    InvalidSettings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    learner, notes = _begin(folder, settings, learned_from(photos), shape or ModelShape(), device)
    curves: dict[str, list[Any]] = {"losses": notes.get("losses", []), "judged": notes.get("judged", [])}
    seconds, began = float(notes.get("seconds", 0.0)), time.monotonic()
    (folder / MANIFEST).write_text(json.dumps([photo.record for photo in photos], indent=1) + "\n")
    saved, recent, judged = began, [], None

    def save(name: str = CHECKPOINT) -> None:
        spent = {"seconds": seconds + time.monotonic() - began, "iterations": settings.iterations}
        checkpoint.save(folder / name, learner, curves | spent)
        (folder / CURVES).write_text(json.dumps(curves | spent) + "\n")

    while learner.iteration < settings.iterations and not should_stop():
        recent.append(learner.step())
        if learner.iteration % JUDGE_EVERY == 0 or learner.iteration == settings.iterations:
            curves["losses"].append([learner.iteration, sum(recent) / len(recent)])
            judged = judge(learner, held_out(photos))
            curves["judged"].append(asdict(judged))
            on_progress(RunProgress(learner.iteration, settings.iterations, sum(recent) / len(recent), judged))
            recent = []
        elif learner.iteration % 10 == 0:
            on_progress(RunProgress(learner.iteration, settings.iterations, sum(recent) / len(recent), judged))
        if learner.iteration == settings.trunk:
            save(TRUNK)
        if time.monotonic() - saved > SAVE_SECONDS:
            save()
            saved = time.monotonic()
    save()
    return learner


def _begin(
    folder: Path, settings: TrainSettings, photos: Sequence[Photo], shape: ModelShape, device: str
) -> tuple[Learner, dict[str, Any]]:
    """A new learner, or the one that the folder has."""
    if not (folder / CHECKPOINT).is_file():
        return Learner(shape, settings, photos, device), {}
    learner, notes = checkpoint.load(folder / CHECKPOINT, settings, photos, device)
    before = replace(settings, iterations=notes["iterations"])
    fallen = before.iterations < settings.iterations and learner.iteration > before.trunk
    if fallen and (folder / TRUNK).is_file():
        return checkpoint.load(folder / TRUNK, settings, photos, device)
    return learner, notes
