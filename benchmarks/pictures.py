"""The pictures that are measured: a folder of photos, or those inside scikit-image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from regrow.core.codec.fit.engines.base import Targets
from regrow.core.codec.images import Picture
from regrow.core.errors import InvalidSettings

SIDE = 40
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def load_pictures(folder: Path | None, side: int = SIDE) -> list[Picture]:
    """Photos resized to side × side (Lanczos), as the paper's 40×40; without a folder, scikit-image's own photos.

    Raises InvalidSettings where the folder holds none.
    """
    return [_picture(image.resize((side, side), Image.Resampling.LANCZOS)) for image in _images(folder)]


def load_crops(folder: Path | None, side: int) -> list[Picture]:
    """The middle side × side pixels of the same photos. Raises InvalidSettings where one of them is smaller."""
    crops = []
    for image in _images(folder):
        if min(image.size) < side:
            raise InvalidSettings(f"a photo of {image.width}×{image.height} has no {side}×{side} to cut out")
        left, top = (image.width - side) // 2, (image.height - side) // 2
        crops.append(_picture(image.crop((left, top, left + side, top + side))))
    return crops


def load_whole(folder: Path | None) -> list[Picture]:
    """The same photos as they are."""
    return [_picture(image) for image in _images(folder)]


def targets_of(pictures: list[Picture]) -> Targets:
    """One patch per picture, all in one batch."""
    pixels = np.stack([picture.pixels.transpose(2, 0, 1) for picture in pictures]) / np.float32(255)
    return Targets(pixels, np.full((len(pictures), 2), pictures[0].height, dtype=np.int32))


def _images(folder: Path | None) -> list[Image.Image]:
    if folder is None:
        return [Image.fromarray(make()) for make in (data.astronaut, data.chelsea, data.coffee)]
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise InvalidSettings(f"{folder}: there is no photo in this folder (.jpg, .png or .webp)")
    return [Image.open(path).convert("RGB") for path in paths]


def _picture(image: Image.Image) -> Picture:
    return Picture(np.asarray(image))
