"""`regrow bench png`: how long writing a PNG takes and how large it gets, over zlib's levels and strategies."""

from __future__ import annotations

import io
import itertools
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, features

from regrow.benchmarks.decode import random_bundle
from regrow.benchmarks.machine import machine
from regrow.benchmarks.pictures import load_pictures
from regrow.core.codec.decode import View, decode_bundle
from regrow.core.codec.format.bundle import read_bundle
from regrow.core.codec.images import Picture
from regrow.core.codec.picture_files import image_of

LEVELS = range(10)
STRATEGIES = {
    "filtered": Image.FILTERED,
    "default": Image.DEFAULT_STRATEGY,
    "huffman only": Image.HUFFMAN_ONLY,
    "rle": Image.RLE,
    "fixed": Image.FIXED,
}
USUAL = ("filtered", 3)
"""What all is compared with: what Pillow makes of `compress_level=3` alone."""

WITHIN = 1.1
"""Of the fewest bytes: settings that take more are not chosen, however quick they are."""

TRIALS = 5

Setting = tuple[str, int]
Kinds = Mapping[str, Sequence[Picture]]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one setting: seconds and bytes for each kind of picture, as shares of what the usual setting takes."""

    strategy: str
    level: int
    seconds: tuple[float, ...]
    sizes: tuple[float, ...]

    @property
    def time(self) -> float:
        """Geometric mean over the kinds."""
        return float(np.exp(np.mean(np.log(self.seconds))))

    @property
    def size(self) -> float:
        """Geometric mean over the kinds."""
        return float(np.exp(np.mean(np.log(self.sizes))))


def bench_png(kinds: Kinds | None = None, trials: int = TRIALS) -> dict[str, Any]:
    """All settings, and the one that the rule chooses."""
    kinds = kinds or usual_kinds()
    costs = measure_costs(kinds, trials)
    chosen = choose(costs)
    return {
        "machine": machine(),
        "zlib": f"zlib-ng {features.version('zlib_ng')}" if features.check("zlib_ng") else features.version("zlib"),
        "rule": f"the least time among the settings within {WITHIN - 1:.0%} of the fewest bytes",
        "chosen": f"{chosen.strategy}, level {chosen.level}",
        "chosen_for_each_kind": [
            {"pictures": kind, "time": seconds, "bytes": size}
            for kind, seconds, size in zip(kinds, chosen.seconds, chosen.sizes, strict=True)
        ],
        "settings": [
            {"strategy": cost.strategy, "level": cost.level, "time": cost.time, "bytes": cost.size} for cost in costs
        ],
    }


def usual_kinds() -> dict[str, list[Picture]]:
    """Photos of two sizes, and what rules grow: as it is, and enlarged."""
    bundle = read_bundle(random_bundle(240, 240))
    return {
        "photos of 120": load_pictures(None, 120),
        "photos of 512": load_pictures(None, 512),
        "grown": [decode_bundle(bundle).picture],
        "enlarged": [decode_bundle(bundle, View(scale=4)).picture],
    }


def measure_costs(kinds: Kinds, trials: int) -> list[Cost]:
    """Each setting's costs; settings whose files are just as long as an earlier one's are left out.

    Trials go round all settings, so that what else the machine does slows none of them alone.
    """
    images = [[image_of(picture) for picture in pictures] for pictures in kinds.values()]
    sizes: dict[Setting, tuple[int, ...]] = {}
    for setting in (USUAL, *itertools.product(STRATEGIES, LEVELS)):
        found = tuple(sum(len(_write(image, setting)) for image in kind) for kind in images)
        if found not in sizes.values():
            sizes[setting] = found
    best = dict.fromkeys(sizes, (math.inf,) * len(images))
    for _ in range(trials):
        for setting in sizes:
            best[setting] = tuple(map(min, best[setting], (_seconds(kind, setting) for kind in images)))
    return [
        Cost(*setting, _shares(best[setting], best[USUAL]), _shares(sizes[setting], sizes[USUAL])) for setting in sizes
    ]


def choose(costs: Sequence[Cost]) -> Cost:
    """By the rule: an answer is waited for, but it is sent, too."""
    limit = WITHIN * min(cost.size for cost in costs)
    return min((cost for cost in costs if cost.size <= limit), key=lambda cost: cost.time)


def _shares(values: Sequence[float], of: Sequence[float]) -> tuple[float, ...]:
    return tuple(value / whole for value, whole in zip(values, of, strict=True))


def _seconds(images: Sequence[Image.Image], setting: Setting) -> float:
    start = time.perf_counter()
    for image in images:
        _write(image, setting)
    return time.perf_counter() - start


def _write(image: Image.Image, setting: Setting) -> bytes:
    strategy, level = setting
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=level, compress_type=STRATEGIES[strategy])
    return buffer.getvalue()
