"""A view of a bundle's picture: a part, at a step of its growth, enlarged. Only the patches it shows are grown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regrow.core.codec.decode.decoder import PATCHES_AT_ONCE, Grower, at_step, fast_grower, grow_patches
from regrow.core.codec.format.bundle import Bundle
from regrow.core.codec.format.fixed_point import IntegerRule, Integers, visible_pixels
from regrow.core.codec.images import Picture
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.errors import InvalidSettings

LARGEST_SCALE = 64
MOST_PIXELS = 1 << 26
"""Of a view, enlarged."""


@dataclass(frozen=True, slots=True)
class Box:
    """In pixels of the picture, from its top left corner."""

    x: int
    y: int
    width: int
    height: int


def parse_box(text: str | None) -> Box | None:
    """`x,y,width,height`; None for None. Raises InvalidSettings."""
    if text is None:
        return None
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise InvalidSettings("crop: must be four whole numbers x,y,width,height") from None
    return Box(x, y, width, height)


@dataclass(frozen=True, slots=True)
class View:
    """crop: None for all of the picture. step: of the growth, 0 for the seed, None for the last. scale: pixels of the
    view per pixel of the picture, along each side."""

    crop: Box | None = None
    step: int | None = None
    scale: int = 1

    def refuse_impossible(self, bundle: Bundle) -> None:
        """Raises InvalidSettings where the bundle's picture has no such view."""
        header = bundle.header
        box = self.crop or Box(0, 0, header.width, header.height)
        if min(box.x, box.y) < 0 or min(box.width, box.height) < 1:
            raise InvalidSettings("crop: x and y must be at least 0, width and height at least 1")
        if box.x + box.width > header.width or box.y + box.height > header.height:
            raise InvalidSettings(f"crop: reaches beyond the picture, which has {header.width}×{header.height} pixels")
        if self.step is not None and not 0 <= self.step <= header.rollout.steps:
            raise InvalidSettings(f"step: must be from 0 to {header.rollout.steps}, not {self.step}")
        if not 1 <= self.scale <= LARGEST_SCALE:
            raise InvalidSettings(f"scale: must be from 1 to {LARGEST_SCALE}, not {self.scale}")
        if box.width * box.height * self.scale**2 > MOST_PIXELS:
            raise InvalidSettings(f"scale: a view has at most {MOST_PIXELS} pixels; this one would have more")


def render(bundle: Bundle, view: View, grower: Grower | None = None) -> Picture:
    """Grow what the view shows. Raises InvalidSettings, DamagedBundle."""
    view.refuse_impossible(bundle)
    header = bundle.header
    if view.step is not None:
        bundle, grower = (bundle, seed_pixels) if view.step == 0 else (at_step(bundle, view.step), grower)
    pixels = _grow_box(bundle, view.crop or Box(0, 0, header.width, header.height), grower or fast_grower())
    if view.scale > 1:
        pixels = pixels.repeat(view.scale, axis=0).repeat(view.scale, axis=1)
    return Picture(np.ascontiguousarray(pixels))


def seed_pixels(
    shape: RuleShape, rules: Sequence[IntegerRule], seed: Integers, rollout: Rollout
) -> npt.NDArray[np.uint8]:
    """A grower that does not grow."""
    del rollout
    return np.stack([visible_pixels(seed[: shape.visible])] * len(rules))


def _grow_box(bundle: Bundle, box: Box, grower: Grower) -> npt.NDArray[np.uint8]:
    """The box's pixels; uint8 (height, width, visible)."""
    header = bundle.header
    grid, size = header.grid, header.patch_size
    rows = range(box.y // size, -(-(box.y + box.height) // size))
    columns = range(box.x // size, -(-(box.x + box.width) // size))
    indices = [row * grid.columns + column for row in rows for column in columns]
    top, left = rows.start * size, columns.start * size
    canvas = np.zeros((len(rows) * size, len(columns) * size, header.visible), dtype=np.uint8)
    for start in range(0, len(indices), PATCHES_AT_ONCE):
        grown, _ = grow_patches(bundle, indices[start : start + PATCHES_AT_ONCE], "refuse", grower)
        for index, patch in grown.items():
            y, x = grid.origin(index)
            canvas[y - top : y - top + size, x - left : x - left + size] = patch.transpose(1, 2, 0)
    return canvas[box.y - top : box.y - top + box.height, box.x - left : box.x - left + box.width]
