"""Seeds: the state at step 0. A seed costs no bytes; the bundle only names its kind."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from core.codec.rule import RuleShape


class SeedKind(StrEnum):
    """pixel: one living cell in the middle (the paper, after Growing NCA)."""

    PIXEL = "pixel"


STEPS = {SeedKind.PIXEL: 40}
"""Updates from the seed to the picture. The pixel seed needs as many as the patch is wide, to fill its corners."""


def make_seed(kind: SeedKind, shape: RuleShape, size: int) -> npt.NDArray[np.float32]:
    """The initial state of a patch of size × size cells; float32 (channels, size, size)."""
    match kind:
        case SeedKind.PIXEL:
            return _pixel_seed(shape, size)


def _pixel_seed(shape: RuleShape, size: int) -> npt.NDArray[np.float32]:
    """All cells zero but the one at (size // 2, size // 2), whose hidden channels are one."""
    seed = np.zeros((shape.channels, size, size), dtype=np.float32)
    seed[shape.visible :, size // 2, size // 2] = 1.0
    return seed
