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
    if folder is None:
        images = [Image.fromarray(make()) for make in (data.astronaut, data.chelsea, data.coffee)]
    else:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        if not paths:
            raise InvalidSettings(f"{folder}: there is no photo in this folder (.jpg, .png or .webp)")
        images = [Image.open(path).convert("RGB") for path in paths]
    return [Picture(np.asarray(image.resize((side, side), Image.Resampling.LANCZOS))) for image in images]


def targets_of(pictures: list[Picture]) -> Targets:
    """One patch per picture, all in one batch."""
    pixels = np.stack([picture.pixels.transpose(2, 0, 1) for picture in pictures]) / np.float32(255)
    return Targets(pixels, np.full((len(pictures), 2), pictures[0].height, dtype=np.int32))
