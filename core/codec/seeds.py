"""Seeds: the state at step 0. A seed costs no bytes; the bundle only names its kind."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from regrow.core.codec.rule import RuleShape


class SeedKind(StrEnum):
    """pixel: one living cell in the middle (the paper, after Growing NCA).

    scaffold: the hidden channels start as waves along x and y, so that every cell knows where it is.
    """

    SCAFFOLD = "scaffold"
    PIXEL = "pixel"


STEPS = {SeedKind.SCAFFOLD: 12, SeedKind.PIXEL: 40}
"""Updates from the seed to the picture. The pixel seed needs as many as the patch is wide, to fill its corners; with
the scaffold nothing has to travel. Chosen by `regrow bench steps`: docs/results/engine.md."""

SCAFFOLD_FREQUENCIES = (1.0, 2.5, 6.0)
"""Half-waves across the patch."""


def make_seed(kind: SeedKind, shape: RuleShape, size: int) -> npt.NDArray[np.float32]:
    """The initial state of a patch of size × size cells; float32 (channels, size, size)."""
    match kind:
        case SeedKind.PIXEL:
            return _pixel_seed(shape, size)
        case SeedKind.SCAFFOLD:
            return _scaffold_seed(shape, size)


def _pixel_seed(shape: RuleShape, size: int) -> npt.NDArray[np.float32]:
    """All cells zero but the one at (size // 2, size // 2), whose hidden channels are one."""
    seed = np.zeros((shape.channels, size, size), dtype=np.float32)
    seed[shape.visible :, size // 2, size // 2] = 1.0
    return seed


def _scaffold_seed(shape: RuleShape, size: int) -> npt.NDArray[np.float32]:
    """Hidden channels, in this order as far as there are any: for each frequency f, with u = (index + 0.5) / size,
    sin(pi f u) along x, the same along y, cos(pi f u) along x, the same along y. All other channels are zero.
    """
    seed = np.zeros((shape.channels, size, size), dtype=np.float32)
    places = (np.arange(size) + 0.5) / size
    waves = [wave(np.pi * frequency * places) for frequency in SCAFFOLD_FREQUENCIES for wave in (np.sin, np.cos)]
    maps = [along for wave in waves for along in (wave[None, :], wave[:, None])]
    for channel, values in zip(range(shape.visible, shape.channels), maps, strict=False):
        seed[channel] = values
    return seed
