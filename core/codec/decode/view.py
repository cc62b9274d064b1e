"""What is to be seen of a bundle's picture: a part, at a step of its growth, enlarged."""

from __future__ import annotations

from dataclasses import dataclass

from regrow.core.codec.format.bundle import AnyHeader
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

    def box(self, header: AnyHeader) -> Box:
        """The part of a bundle's picture that is shown."""
        return self.crop or Box(0, 0, header.width, header.height)

    def refuse_impossible(self, header: AnyHeader) -> None:
        """Raises InvalidSettings where a picture of such a bundle has no such view."""
        box = self.box(header)
        if min(box.x, box.y) < 0 or min(box.width, box.height) < 1:
            raise InvalidSettings("crop: x and y must be at least 0, width and height at least 1")
        if box.x + box.width > header.width or box.y + box.height > header.height:
            raise InvalidSettings(f"crop: reaches beyond the picture, which has {header.width}×{header.height} pixels")
        if self.step is not None and not 0 <= self.step <= header.steps:
            raise InvalidSettings(f"step: must be from 0 to {header.steps}, not {self.step}")
        if not 1 <= self.scale <= LARGEST_SCALE:
            raise InvalidSettings(f"scale: must be from 1 to {LARGEST_SCALE}, not {self.scale}")
        if box.width * box.height * self.scale**2 > MOST_PIXELS:
            raise InvalidSettings(f"scale: a view has at most {MOST_PIXELS} pixels; this one would have more")
