"""Pictures as files that browsers show, without metadata."""

from __future__ import annotations

import io
from enum import StrEnum
from typing import Any

from PIL import Image

from regrow.core.codec.images import Picture
from regrow.core.errors import InvalidSettings


class FileKind(StrEnum):
    """The file formats that a picture is served in, by the ends of their files' names."""

    PNG = "png"
    WEBP = "webp"
    JPEG = "jpg"

    @property
    def media_type(self) -> str:
        """The format's MIME type."""
        return "image/jpeg" if self is FileKind.JPEG else f"image/{self}"


# All are quick: the answer is waited for. PNG by measurement (docs/results/png.md).
_OPTIONS: dict[FileKind, dict[str, Any]] = {
    FileKind.PNG: {"compress_level": 1, "compress_type": Image.RLE},
    FileKind.WEBP: {"lossless": True, "exact": True, "quality": 20, "method": 0},
    FileKind.JPEG: {"quality": 90, "subsampling": 0},
}


LONGEST_SIDE = {FileKind.WEBP: 16_383, FileKind.JPEG: 65_500}
"""Pixels that a format can hold; PNG holds any that are asked for."""


def write_picture(picture: Picture, kind: FileKind) -> bytes:
    """The picture as a file of the kind.

    PNG and WebP without loss, even of the colours of transparent pixels; JPEG at quality 90, 4:4:4, over white.

    Raises InvalidSettings where the format holds no picture as large.
    """
    side = max(picture.width, picture.height)
    if side > LONGEST_SIDE.get(kind, side):
        raise InvalidSettings(
            f"{kind.name} holds at most {LONGEST_SIDE[kind]:,} pixels a side, not {side:,}: ask for PNG"
        )
    image, buffer = flat_image(picture) if kind is FileKind.JPEG else image_of(picture), io.BytesIO()
    image.save(buffer, kind.name, **_OPTIONS[kind])
    return buffer.getvalue()


def image_of(picture: Picture) -> Image.Image:
    """The picture as Pillow has it: mode L, RGB or RGBA."""
    return Image.fromarray(picture.pixels[:, :, 0] if picture.channels == 1 else picture.pixels)


def flat_image(picture: Picture) -> Image.Image:
    """The picture as Pillow has it, without alpha: laid over white. Mode L or RGB."""
    image = image_of(picture)
    if picture.channels != 4:
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
