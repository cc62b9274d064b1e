"""`regrow bench ablation`: what each part of the profile `seeds` is worth, in per cent of bytes at equal PSNR.

Models without a part learn as long as one that has all of them, from the same photos, in the same order. They are
compared as they are while they learn: in floats, one pass, sizes as ideal code lengths and the least overhead there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from regrow.benchmarks.bd_rate import bd_rate
from regrow.benchmarks.machine import machine
from regrow.core.codec.format.seeds.geometry import levels_of
from regrow.core.codec.images import Picture
from regrow.core.codec.learn.network import SeedsNetwork
from regrow.core.codec.learn.photos import Photo
from regrow.core.codec.learn.run import RunProgress, run
from regrow.core.codec.learn.shape import ModelShape
from regrow.core.codec.learn.training import TrainSettings
from regrow.core.codec.quality import psnr_from_mse

WHOLE = "all parts"
VARIANTS = {
    WHOLE: ModelShape(),
    "no growth": replace(ModelShape(), coarse_steps=0, fine_steps=0),
    "no finishing rule": replace(ModelShape(), fine_steps=0),
    "no contexts": replace(ModelShape(), contexts=False),
}
FEWER_LEVELS = "one level fewer"
STEPS = (-5.5, -5.0, -4.4, -3.8, -3.2, -2.6, -2.0, -1.5)
ROUNDING = 0.4
OVERHEAD_BYTES = 16

Samples = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class AblationPlan:
    """iterations: of each model. folder: where they learn, and go on when the command is given again."""

    iterations: int
    folder: Path


def bench_ablation(
    photos: Sequence[Photo],
    sets: Mapping[str, Sequence[Picture]],
    plan: AblationPlan,
    on_progress: Callable[[str, RunProgress], None] = lambda *_: None,
) -> dict[str, Any]:
    """BD-rates of models without a part against one with all. sets: pictures of equal size that nobody learned from."""
    networks = {}
    for name, shape in VARIANTS.items():

        def show(progress: RunProgress, name: str = name) -> None:
            on_progress(name, progress)

        where = plan.folder / name.replace(" ", "-")
        networks[name] = run(photos, where, TrainSettings(iterations=plan.iterations), shape, on_progress=show).average
    rows = []
    for title, pictures in sets.items():
        whole = _samples(networks[WHOLE], pictures)
        others = {name: _samples(network, pictures) for name, network in networks.items() if name != WHOLE}
        others[FEWER_LEVELS] = _samples(networks[WHOLE], pictures, fewer=1)
        for name, samples in others.items():
            found = bd_rate(whole, samples)
            rows.append({"pictures": title, "without": name, "more_bytes_percent": found and found.percent})
    return {"machine": machine(), "iterations": plan.iterations, "photos": len(photos), "ablation": rows}


def _samples(network: SeedsNetwork, pictures: Sequence[Picture], fewer: int = 0) -> Samples:
    """Mean bytes and mean PSNR at each step. fewer: levels less than usual."""
    return [_sample(network, pictures, exponent, fewer) for exponent in STEPS]


def _sample(network: SeedsNetwork, pictures: Sequence[Picture], exponent: float, fewer: int) -> tuple[float, float]:
    found = []
    for picture in pictures:
        target = torch.from_numpy(picture.pixels.transpose(2, 0, 1)[None] / np.float32(255))
        step, levels = torch.tensor([exponent]), levels_of((picture.height, picture.width)) - fewer
        with torch.no_grad():
            grown = network(network.quantise(target, step, levels, ROUNDING), step)
        pixels = torch.round(grown.picture.clamp(0, 1) * 255)
        mse = float((pixels - target * 255).square().mean())
        found.append((float(grown.bits[0]) / 8 + OVERHEAD_BYTES, psnr_from_mse(mse)))
    means = np.mean(found, axis=0)
    return float(means[0]), float(means[1])
