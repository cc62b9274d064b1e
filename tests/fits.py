"""Small fits for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from regrow.core.codec.fit.engines.base import Targets
from regrow.core.codec.fit.task import FitTask
from regrow.core.codec.presets import Schedule
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.seeds import SeedKind
from tests.pictures import smooth_pixels

SHAPE = RuleShape(8, 8)
SIZE = 12


def small_task(
    pictures: Sequence[int],
    iterations: int = 60,
    *,
    seed: SeedKind = SeedKind.SCAFFOLD,
    schedule: Schedule | None = None,
    **changes: Any,
) -> FitTask:
    """One rule for each of these numbered pictures of 12×12."""
    pixels = [smooth_pixels(SIZE, SIZE, seed=number).transpose(2, 0, 1) / np.float32(255) for number in pictures]
    return FitTask(
        shape=SHAPE,
        seed=seed,
        targets=Targets(np.stack(pixels), np.full((len(pixels), 2), SIZE, dtype=np.int32)),
        rollout=Rollout(6),
        schedule=schedule or Schedule(iterations),
        identities=tuple((0, number) for number in pictures),
        **changes,
    )
