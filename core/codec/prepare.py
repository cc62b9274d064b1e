"""From an uploaded file to what is kept of it and encoded."""

from __future__ import annotations

from dataclasses import dataclass

from core.codec.alpha import with_hidden_filled
from core.codec.images import ImageLimits, Picture, read_picture


@dataclass(frozen=True, slots=True)
class PreparedPicture:
    """png: the picture's pixels as a file without metadata. channels: 1 (grey), 3 (RGB) or 4 (RGBA)."""

    height: int
    width: int
    channels: int
    png: bytes

    @classmethod
    def of(cls, picture: Picture) -> PreparedPicture:
        return cls(picture.height, picture.width, picture.channels, picture.to_png())


def prepare(data: bytes, limits: ImageLimits) -> PreparedPicture:
    """Raises ImageError as core.codec.images.read_picture does.

    Colours below alpha 0, which nobody sees, are not kept: others take their place (core.codec.alpha).
    """
    return PreparedPicture.of(with_hidden_filled(read_picture(data, limits)))
