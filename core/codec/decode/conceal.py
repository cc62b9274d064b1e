"""Filling patches that are lost from the pixels around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from regrow.core.codec.images import Pixels
from regrow.core.codec.patches import Grid

_GREY = 128


def conceal(pixels: Pixels, grid: Grid, damaged: Sequence[int]) -> None:
    """Fill the damaged patches of pixels (height, width, channels) in place.

    A pixel becomes the mean of the nearest sound pixel above, below, left and right, weighted by nearness. Where many
    patches are lost, those beside sound ones are filled first, and count as sound from then on. If none is sound, all
    become grey.
    """
    lost = set(damaged)
    if len(lost) == grid.count:
        pixels[...] = _GREY
        return
    edge = sorted(number for number in lost if _sound_sides(grid, number, lost))
    while edge:
        for number in edge:
            _fill(pixels, grid, number, _sound_sides(grid, number, lost))
        lost.difference_update(edge)
        edge = sorted({other for number in edge for other in _neighbours(grid, number).values() if other in lost})


def _neighbours(grid: Grid, index: int) -> dict[tuple[int, int], int]:
    """The patches beside one, by their direction (down, right)."""
    row, column = divmod(index, grid.columns)
    return {
        (down, right): (row + down) * grid.columns + column + right
        for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1))
        if 0 <= row + down < grid.rows and 0 <= column + right < grid.columns
    }


def _sound_sides(grid: Grid, index: int, lost: set[int]) -> list[tuple[int, int]]:
    """The directions (down, right) in which a sound patch lies."""
    return [side for side, other in _neighbours(grid, index).items() if other not in lost]


def _fill(pixels: Pixels, grid: Grid, index: int, sides: list[tuple[int, int]]) -> None:
    (top, left), (height, width) = grid.origin(index), grid.extent(index)
    inside = (slice(top, top + height), slice(left, left + width))
    total = np.zeros((height, width, pixels.shape[2]))
    weights = np.zeros((height, width, 1))
    for down, right in sides:
        edge, distance = _edge(pixels, (top, left, height, width), down, right)
        total += edge / distance
        weights += 1 / distance
    pixels[inside] = np.rint(total / weights)


def _edge(
    pixels: Pixels, box: tuple[int, int, int, int], down: int, right: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The line of pixels beyond one side of a box, and every pixel's distance from it; both broadcast over the box."""
    top, left, height, width = box
    if down:
        line = pixels[top - 1 if down < 0 else top + height, left : left + width][None]
        steps = np.arange(1, height + 1) if down < 0 else np.arange(height, 0, -1)
        return line.astype(np.float64), steps[:, None, None].astype(np.float64)
    line = pixels[top : top + height, left - 1 if right < 0 else left + width][:, None]
    steps = np.arange(1, width + 1) if right < 0 else np.arange(width, 0, -1)
    return line.astype(np.float64), steps[None, :, None].astype(np.float64)
