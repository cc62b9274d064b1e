"""Pictures as files that browsers show, without metadata."""

from __future__ import annotations

import io
from enum import StrEnum

from PIL import Image

from core.codec.images import Picture


class FileKind(StrEnum):
    PNG = "png"
    WEBP = "webp"
    JPEG = "jpg"

    @property
    def media_type(self) -> str:
        return "image/jpeg" if self is FileKind.JPEG else f"image/{self}"


JPEG_QUALITY = 90


def write_picture(picture: Picture, kind: FileKind) -> bytes:
    """PNG and WebP without loss; JPEG at quality 90, 4:4:4, transparent pixels over white."""
    if kind is FileKind.PNG:
        return picture.to_png()
    image, buffer = flat_image(picture) if kind is FileKind.JPEG else image_of(picture), io.BytesIO()
    if kind is FileKind.WEBP:
        image.save(buffer, "WEBP", lossless=True, quality=20, method=0)  # the quickest: the answer is waited for
    else:
        image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def image_of(picture: Picture) -> Image.Image:
    """Mode L, RGB or RGBA."""
    return Image.fromarray(picture.pixels[:, :, 0] if picture.channels == 1 else picture.pixels)


def flat_image(picture: Picture) -> Image.Image:
    """Without alpha: transparent pixels over white. Mode L or RGB."""
    image = image_of(picture)
    if picture.channels != 4:
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
