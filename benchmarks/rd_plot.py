"""The picture that belongs to `regrow bench rd`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter

from regrow.benchmarks.bd_rate import front
from regrow.benchmarks.rd import RULES
from regrow.benchmarks.rd_curve import WITHOUT_CONTAINER
from regrow.benchmarks.rd_seeds import SEEDS

OURS = {SEEDS: "#1f8a4c", RULES: "#7aa33a"}
PALE = "#9dc4a6"
CODEC_COLOURS = ("#1c1f21", "#8a9198", "#b5541c", "#2f6fb0", "#7a4fa3", "#b08fd0", "#d9c7ea", "#e3dcec", "#c23b6b")
LOWEST, HIGHEST = 18.0, 52.0
"""dB; beyond these nobody wants the pictures, or nobody sees the difference."""


def plot_rd(result: dict[str, Any], path: Path) -> None:
    """Mean PSNR against mean bytes of whole files, one line per codec."""
    figure, axes = plt.subplots(figsize=(8.5, 5.5), layout="constrained")
    presets = [row["preset"] for row in result.get("targets", [])]
    colours, colour = iter(CODEC_COLOURS), PALE
    for name in dict.fromkeys(row["curve"] for row in result["curves"]):
        rows = [row for row in result["curves"] if row["curve"] == name]
        samples = [(row["mean_bytes"], row["mean_psnr"]) for row in rows]
        if name in OURS:
            axes.plot(*_columns(front(samples)), "-", color=OURS[name], linewidth=2.4, label=name, zorder=4)
        elif name in presets:
            axes.plot(*_columns(samples), "o-", color=PALE, markersize=3, linewidth=1, zorder=3)
            axes.annotate(name, max(samples), xytext=(4, -3), textcoords="offset points", fontsize=7, color=OURS[RULES])
        else:
            bare = name.endswith(WITHOUT_CONTAINER)  # in the colour of its codec, which is the one before
            colour = colour if bare else next(colours, PALE)
            axes.plot(*_columns(front(samples)), ":" if bare else "-", color=colour, linewidth=1.3, label=name)
    _dress(axes)
    axes.set_title(f"{result['pictures']} pictures, {result['size']}, effort {result['effort']}", fontsize=10)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _dress(axes: plt.Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(plt.LogLocator(base=10, subs=(1, 2, 5)))
    axes.set_ylim(LOWEST, HIGHEST)
    axes.set_xlabel("bytes of the whole file, mean over pictures")
    axes.set_ylabel("PSNR in dB, mean over pictures")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="upper left")


def _columns(samples: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [size for size, _ in samples], [psnr for _, psnr in samples]
