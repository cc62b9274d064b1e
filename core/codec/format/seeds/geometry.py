"""How a picture falls into patches, a patch into scales, and in which order a band's seeds are coded."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MOST_LEVELS = 5
SHORTEST_SIDE = 5
"""No side of a low-pass band that was split is shorter."""

PATCH_SIZES = (64, 128, 256, 512)
"""Longest sides of a patch, by their code in the header."""

Size = tuple[int, int]
"""Height and width."""


def levels_of(size: Size) -> int:
    """How often a patch is split: as often as its shorter side stays SHORTEST_SIDE or longer, at most MOST_LEVELS."""
    level, side = 0, min(size)
    while level < MOST_LEVELS and (side + 1) // 2 >= SHORTEST_SIDE:
        level, side = level + 1, (side + 1) // 2
    return level


def scale_sizes(size: Size) -> list[Size]:
    """Sizes of all scales of a patch, its own first, the coarsest last; each is half the one before, rounded up."""
    sizes = [size]
    for _ in range(levels_of(size)):
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    return sizes


def band_sizes(size: Size) -> tuple[Size, Size, Size]:
    """Sizes of the details HL, LH and HH that a scale of this size is put together from."""
    height, width = size
    tall, wide, short, narrow = (height + 1) // 2, (width + 1) // 2, height // 2, width // 2
    return (tall, narrow), (short, wide), (short, narrow)


@functools.lru_cache(maxsize=64)
def coding_order(size: Size) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Rows and columns of a band's places in coding order, by column + 2 · row, then by row; int32, flat."""
    height, width = size
    rows, columns = (places.ravel() for places in np.mgrid[:height, :width])
    order = np.lexsort((rows, columns + 2 * rows))
    return rows[order].astype(np.int32), columns[order].astype(np.int32)


@dataclass(frozen=True, slots=True)
class Tiling:
    """The patches of a height × width picture, numbered row by row, none longer than `longest`, all about alike."""

    height: int
    width: int
    longest: int

    @property
    def rows(self) -> int:
        """Patches from top to bottom."""
        return -(-self.height // self.longest)

    @property
    def columns(self) -> int:
        """Patches from left to right."""
        return -(-self.width // self.longest)

    @property
    def count(self) -> int:
        """Patches in all."""
        return self.rows * self.columns

    def origin(self, index: int) -> Size:
        """Row and column of the patch's top-left pixel."""
        row, column = divmod(index, self.columns)
        return row * self.height // self.rows, column * self.width // self.columns

    def extent(self, index: int) -> Size:
        """Height and width of the patch."""
        row, column = divmod(index, self.columns)
        top, left = self.origin(index)
        return (row + 1) * self.height // self.rows - top, (column + 1) * self.width // self.columns - left
