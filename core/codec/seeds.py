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
"""Of the scaffold's waves: half-waves across a patch."""


def make_seed(kind: SeedKind, shape: RuleShape, size: int) -> npt.NDArray[np.float32]:
    """The initial state of a patch of size × size cells, to train with; float32 (channels, size, size)."""
    return exact_seed(kind, shape, size).astype(np.float32)


def exact_seed(kind: SeedKind, shape: RuleShape, size: int) -> npt.NDArray[np.float64]:
    """The seed before it is rounded to the numbers that training or decoding counts in; float64 (channels, size, size).

    pixel: all cells are zero but the one at (size // 2, size // 2), whose hidden channels are one.
    scaffold: the hidden channels are, in this order as far as there are any, for each wave of `scaffold_waves` the wave
    along x and the same along y. All other channels are zero.
    """
    seed = np.zeros((shape.channels, size, size))
    match kind:
        case SeedKind.PIXEL:
            seed[shape.visible :, size // 2, size // 2] = 1.0
        case SeedKind.SCAFFOLD:
            maps = [along for wave in scaffold_waves(size) for along in (wave[None, :], wave[:, None])]
            for channel, values in zip(range(shape.visible, shape.channels), maps, strict=False):
                seed[channel] = values
    return seed


def scaffold_waves(size: int) -> npt.NDArray[np.float64]:
    """For each frequency f, with u = (index + 0.5) / size: sin(pi f u), then cos(pi f u).

    float64 (2 · frequencies, size).
    """
    places = (np.arange(size) + 0.5) / size
    return np.stack(
        [wave(np.pi * frequency * places) for frequency in SCAFFOLD_FREQUENCIES for wave in (np.sin, np.cos)]
    )
