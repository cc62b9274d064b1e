"""The growth of a picture as an animation."""

from __future__ import annotations

import io
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import numpy as np
from PIL import Image

from regrow.core.codec.decode.decoder import decode_steps
from regrow.core.codec.decode.view import Box
from regrow.core.codec.format.bundle import AnyBundle
from regrow.core.codec.images import Picture
from regrow.core.codec.picture_files import flat_image, image_of
from regrow.core.errors import InvalidSettings

FRAME_MS = 80
LAST_FRAME_MS = 1500
MOST_FRAMES = 60
LONGEST_SIDE = 8192
"""Pixels of a frame; GIF itself could hold 65,535, WebP 16,383."""

MOST_PIXELS = 1 << 28
"""Of all frames together: Pillow holds every one of them while it writes, in 4 bytes a pixel."""


class AnimationKind(StrEnum):
    """The file formats that an animation can have."""

    GIF = "gif"
    WEBP = "webp"

    @property
    def media_type(self) -> str:
        """The format's MIME type."""
        return f"image/{self}"


_OPTIONS: dict[AnimationKind, dict[str, Any]] = {
    AnimationKind.GIF: {},
    # Method 1 takes a tenth of the default's time and some per cent more bytes.
    AnimationKind.WEBP: {"lossless": True, "quality": 0, "method": 1},
}


def shown_steps(steps: int) -> list[int]:
    """The steps after the seed that are shown: all of them, or MOST_FRAMES spread evenly.

    Ascending; each may cost a growth from the seed."""
    return sorted({round(step) for step in np.linspace(1, steps, min(steps, MOST_FRAMES))})


def frames(bundle: AnyBundle, crop: Box | None = None, scale: int = 1) -> Iterator[Picture]:
    """The seed as a picture, then the picture at each of `shown_steps`. Raises DamagedBundle, InvalidSettings."""
    return decode_steps(bundle, (0, *shown_steps(bundle.header.steps)), crop, scale)


def write_animation(bundle: AnyBundle, kind: AnimationKind, crop: Box | None = None, scale: int = 1) -> bytes:
    """An endless animation. Raises DamagedBundle, InvalidSettings.

    GIF: each frame in the 256 colours that suit it best, over white. WebP: every frame as it is, alpha included;
    only the colours of pixels that are not seen at all are lost.
    """
    header = bundle.header
    width, height = (crop.width, crop.height) if crop else (header.width, header.height)
    if scale * max(width, height) > LONGEST_SIDE:
        raise InvalidSettings(f"{scale} times {width}×{height} is over {LONGEST_SIDE} pixels a side")
    steps, buffer = shown_steps(header.steps), io.BytesIO()
    if width * height * scale**2 * (1 + len(steps)) > MOST_PIXELS:
        raise InvalidSettings(f"scale: the frames of an animation have at most {MOST_PIXELS:,} pixels in all")
    images = (_frame(picture, kind) for picture in frames(bundle, crop, scale))
    durations = [FRAME_MS] * len(steps) + [LAST_FRAME_MS]
    next(images).save(
        buffer, kind.upper(), save_all=True, append_images=images, duration=durations, loop=0, **_OPTIONS[kind]
    )
    return buffer.getvalue()


def _frame(picture: Picture, kind: AnimationKind) -> Image.Image:
    if kind is AnimationKind.WEBP:
        return image_of(picture)
    image = flat_image(picture)
    return image if picture.channels == 1 else image.quantize(256)
