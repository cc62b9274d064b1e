"""Cutting a picture into square patches, and putting patches together again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from regrow.core.codec.images import Picture, Pixels


class Grid(Protocol):
    """The patches of a picture in rows and columns, numbered row by row."""

    @property
    def rows(self) -> int:
        """Patches from top to bottom."""
        ...

    @property
    def columns(self) -> int:
        """Patches from left to right."""
        ...

    @property
    def count(self) -> int:
        """Patches in all."""
        ...

    def origin(self, index: int) -> tuple[int, int]:
        """Row and column of the patch's top-left pixel."""
        ...

    def extent(self, index: int) -> tuple[int, int]:
        """Height and width of the part of the patch that lies in the picture."""
        ...


@dataclass(frozen=True, slots=True)
class PatchGrid:
    """The patches of a height × width picture, numbered row by row; the last row and column may reach beyond it."""

    height: int
    width: int
    size: int

    @property
    def rows(self) -> int:
        """Patches from top to bottom."""
        return -(-self.height // self.size)

    @property
    def columns(self) -> int:
        """Patches from left to right."""
        return -(-self.width // self.size)

    @property
    def count(self) -> int:
        """Patches in all."""
        return self.rows * self.columns

    def origin(self, index: int) -> tuple[int, int]:
        """Row and column of the patch's top-left pixel."""
        row, column = divmod(index, self.columns)
        return row * self.size, column * self.size

    def extent(self, index: int) -> tuple[int, int]:
        """Height and width of the part of the patch that lies in the picture."""
        top, left = self.origin(index)
        return min(self.size, self.height - top), min(self.size, self.width - left)


def cut(picture: Picture, grid: PatchGrid, indices: Sequence[int]) -> npt.NDArray[np.float32]:
    """The patches named, brightness in [0, 1], padded by repeating the edge; float32 (n, channels, size, size)."""
    patches = np.empty((len(indices), picture.channels, grid.size, grid.size), dtype=np.float32)
    for patch, index in zip(patches, indices, strict=True):
        (top, left), (height, width) = grid.origin(index), grid.extent(index)
        part = picture.pixels[top : top + height, left : left + width].transpose(2, 0, 1) / np.float32(255)
        patch[...] = np.pad(part, ((0, 0), (0, grid.size - height), (0, grid.size - width)), mode="edge")
    return patches


def to_bytes(patch: npt.NDArray[np.float32]) -> Pixels:
    """What was cut, or a part of it, back as uint8 (height, width, channels)."""
    return np.rint(patch * 255).astype(np.uint8).transpose(1, 2, 0)


def paste(pixels: Pixels, grid: Grid, index: int, patch: Pixels, corner: tuple[int, int] = (0, 0)) -> None:
    """Write those pixels of one patch, uint8 (channels, height, width), that lie in a part of the picture.

    pixels: the part, uint8 (height, width, channels). corner: row and column of its top-left pixel in the picture.
    """
    (y, x), (rows, columns) = grid.origin(index), grid.extent(index)
    top, bottom = max(y, corner[0]), min(y + rows, corner[0] + pixels.shape[0])
    left, right = max(x, corner[1]), min(x + columns, corner[1] + pixels.shape[1])
    shown = patch[:, top - y : bottom - y, left - x : right - x].transpose(1, 2, 0)
    pixels[top - corner[0] : bottom - corner[0], left - corner[1] : right - corner[1]] = shown
