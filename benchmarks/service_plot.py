"""The plots of `regrow bench service`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes


def plot_service(result: dict[str, Any], path: Path) -> None:
    """Requests a second over clients, for each size of picture, and how the rates compare; PNG or SVG by the suffix."""
    sides = sorted({row["side"] for row in result["rates"]})
    figure, axes = plt.subplots(1, len(sides) + 1, figsize=(4.4 * (len(sides) + 1), 4), layout="constrained")
    for axis, side in zip(axes, sides, strict=False):
        _plot_rates(axis, side, [row for row in result["rates"] if row["side"] == side])
    _plot_ratios(axes[-1], result["rates"])
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _plot_rates(axes: Axes, side: int, rows: list[dict[str, Any]]) -> None:
    for answer in dict.fromkeys(row["answer"] for row in rows):
        mine = [row for row in rows if row["answer"] == answer]
        axes.loglog([row["clients"] for row in mine], [row["per_second"] for row in mine], "o-", label=answer)
    axes.set(xlabel="clients", ylabel="answers a second", title=f"{side}×{side} pixels")
    axes.legend()


def _plot_ratios(axes: Axes, rows: list[dict[str, Any]]) -> None:
    for answer, goal in (("cached", 0.5), ("304", 1.0)):
        for side in sorted({row["side"] for row in rows}):
            mine = [row for row in rows if (row["answer"], row["side"]) == (answer, side)]
            axes.plot([row["clients"] for row in mine], [row["ratio"] for row in mine], "o-", label=f"{answer}, {side}")
        axes.axhline(goal, linestyle=":", color="grey")
    axes.set(xlabel="clients", ylabel="rate, of the static file's", title="Beside a plain file")
    axes.set_ylim(bottom=0)
    axes.legend()
