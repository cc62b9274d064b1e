"""The plots of `regrow bench scale`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes


def plot_scale(result: dict[str, Any], path: Path) -> None:
    """Seconds over patches, efficiency over workers, and what a fleet asks, side by side; PNG or SVG by the suffix."""
    figure, (cost, efficiency, fleet) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    _plot_cost(cost, result["jobs"])
    _plot_efficiency(efficiency, result["efficiency"])
    _plot_fleet(fleet, result["fleet"])
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _plot_cost(axes: Axes, rows: list[dict[str, Any]]) -> None:
    patches = [row["patches"] for row in rows]
    axes.loglog(patches, [row["seconds"] for row in rows], "o-", label="measured")
    last = rows[-1]
    axes.loglog(patches, [last["ms_per_batch"] * count / 1000 for count in patches], ":", label="linear")
    axes.set(xlabel="batches in the job", ylabel="seconds", title="Cost of a job without its fits")
    axes.legend()


def _plot_efficiency(axes: Axes, rows: list[dict[str, Any]]) -> None:
    axes.plot([row["workers"] for row in rows], [row["efficiency"] for row in rows], "o-")
    axes.set(xlabel="sleeping workers", ylabel="share of the time spent asleep", title="Efficiency", ylim=(0, 1.05))
    axes.axhline(0.9, linestyle=":", color="grey")


def _plot_fleet(axes: Axes, rows: list[dict[str, Any]]) -> None:
    workers = [row["workers"] for row in rows]
    axes.loglog(workers, [row["valkey_busy_share"] for row in rows], "o-", label="share of Valkey's one core")
    axes.loglog(workers, [row["blob_requests_per_second"] for row in rows], "s-", label="blob requests a second")
    axes.axhline(1, linestyle=":", color="grey")
    axes.set(xlabel="workers, 30 s batches", title="A fleet, on paper")
    axes.legend()
