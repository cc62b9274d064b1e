"""The picture that belongs to `regrow train`."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

LEAF, FAINT = "#2b7a3f", "#9dc4a6"


def plot_curves(curves: Path, path: Path) -> None:
    """The loss of a run (core.codec.learn.run), in training and on held-out photos, over iterations."""
    stored = json.loads(curves.read_text())
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    axes.plot(*zip(*stored["losses"], strict=True), color=FAINT, label="learned from, mean of a stretch")
    judged = [(each["iteration"], each["loss"]) for each in stored["judged"]]
    axes.plot(*zip(*judged, strict=True), color=LEAF, label="held-out photos, moving average of weights")
    axes.set_xlabel("iterations")
    axes.set_ylabel("loss")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
