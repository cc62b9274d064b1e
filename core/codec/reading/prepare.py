"""From an uploaded file to what is kept of it and encoded."""

from __future__ import annotations

from dataclasses import dataclass

from regrow.core.codec.alpha import with_hidden_filled
from regrow.core.codec.images import ImageLimits, read_picture
from regrow.core.codec.reading.source_format import SourceFormat


@dataclass(frozen=True, slots=True)
class PreparedPicture:
    """png: the picture's pixels as a file without metadata. channels: 1 (grey), 3 (RGB) or 4 (RGBA).

    colours, source_format: as core.codec.images.Picture has them.
    """

    height: int
    width: int
    channels: int
    colours: str
    source_format: SourceFormat | None
    png: bytes


def prepare(data: bytes, limits: ImageLimits) -> PreparedPicture:
    """Raises ImageError as core.codec.images.read_picture does.

    Of colours below alpha only what is seen is kept: others that look the same take their place (core.codec.alpha).
    """
    picture = with_hidden_filled(read_picture(data, limits))
    return PreparedPicture(
        height=picture.height,
        width=picture.width,
        channels=picture.channels,
        colours=picture.colours,
        source_format=picture.source_format,
        png=picture.to_png(),
    )
