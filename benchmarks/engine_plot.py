"""The picture that belongs to `regrow bench engine`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

INK, LEAF, FAINT = "#1c1f21", "#2b7a3f", "#b9c4bb"


def plot_engine(result: dict[str, Any], path: Path) -> None:
    """Time per patch-iteration of each engine, and cost against the number of patches."""
    figure, (bars, line) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    rows = [row for row in result["iterations"] if row["steps"] == 12]
    engines = {
        "torch autograd, port of the paper's loop": ("torch_autograd_port_ms", FAINT),
        "torch, batched reference": ("torch_reference_ms", "#7d8b81"),
        "numba": ("numba_ms", LEAF),
    }
    for place, (label, (field, colour)) in enumerate(engines.items()):
        heights = [row[field] for row in rows]
        drawn = bars.bar([x + 0.27 * (place - 1) for x in range(len(rows))], heights, 0.25, color=colour, label=label)
        bars.bar_label(drawn, [f"{height:.1f}" for height in heights], fontsize=8)
    bars.set_xticks(range(len(rows)), [row["preset"] for row in rows])
    bars.set_yscale("log")
    bars.set_ylabel("ms per patch-iteration, 12 steps")
    bars.legend(fontsize=8, frameon=False, loc="upper left")
    bars.set_ylim(top=8 * max(row["torch_autograd_port_ms"] for row in rows))  # room for the legend
    counts = [row["patches"] for row in result["patches"]]
    times = [row["milliseconds"] for row in result["patches"]]
    line.plot(counts, times, "o-", color=LEAF, label="measured")
    line.plot(counts, [times[-1] / counts[-1] * count for count in counts], ":", color=INK, label="linear")
    line.set_xlabel("patches in the batch")
    line.set_ylabel("ms per training iteration")
    line.legend(frameon=False)
    for axes in (bars, line):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{result['machine']['processor']}, {result['machine']['cores']} cores", fontsize=9)
    figure.savefig(path, dpi=110)
    plt.close(figure)
