"""The photos that a model learns from: a manifest with their licences, and crops of them at all zooms."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from regrow.core.codec.images import read_picture
from regrow.core.errors import InvalidSettings

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
LICENCE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE")
HELD_OUT_EVERY = 10
"""One photo of so many is not learned from, but tells how well the learning goes."""

SMALLEST_SIDE = 64


@dataclass(frozen=True, slots=True)
class Photo:
    """path: of the file. sha256: of its bytes. licence: the first line of the licence beside it. pixels: uint8 RGB."""

    path: Path
    sha256: str
    licence: str
    pixels: npt.NDArray[np.uint8]

    @property
    def record(self) -> dict[str, str]:
        """Its line in a manifest."""
        return {"file": f"{self.path.parent.name}/{self.path.name}", "sha256": self.sha256, "licence": self.licence}


def load_photos(places: Sequence[Path]) -> list[Photo]:
    """All photos in these files and folders, by their digest, each once.

    Raises InvalidSettings where a folder has no licence, a photo is too small, or there are too few to hold any out.
    """
    files = [file for place in places for file in _files(place)]
    photos = {photo.sha256: photo for photo in map(_load, files)}
    if len(photos) < HELD_OUT_EVERY:
        raise InvalidSettings(f"learning takes at least {HELD_OUT_EVERY} photos: {len(photos)} are given")
    return [photos[digest] for digest in sorted(photos)]


def learned_from(photos: Sequence[Photo]) -> list[Photo]:
    """Those that a model learns from."""
    return [photo for number, photo in enumerate(photos) if number % HELD_OUT_EVERY]


def held_out(photos: Sequence[Photo]) -> list[Photo]:
    """Those that it is judged by while it learns."""
    return list(photos[::HELD_OUT_EVERY])


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    found = sorted(path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InvalidSettings(f"{place}: no photos in there ({', '.join(SUFFIXES)})")
    return found


def _load(path: Path) -> Photo:
    data = path.read_bytes()
    picture = read_picture(data)
    if min(picture.width, picture.height) < SMALLEST_SIDE:
        raise InvalidSettings(f"{path}: {picture.width}×{picture.height} is too small to learn from")
    pixels = picture.pixels[:, :, :3] if picture.channels >= 3 else picture.pixels.repeat(3, axis=2)
    return Photo(path, hashlib.sha256(data).hexdigest(), _licence(path), pixels)


def _licence(path: Path) -> str:
    for name in LICENCE_FILES:
        licence = path.parent / name
        if licence.is_file():
            lines = (line.strip("# \t") for line in licence.read_text(encoding="utf-8", errors="replace").splitlines())
            return next((line for line in lines if line), name)
    raise InvalidSettings(f"{path.parent}: no {LICENCE_FILES[0]} file beside the photos; it says that they may be used")


def crop(photo: Photo, side: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A square of a photo at some zoom, turned or mirrored by chance; float32 (3, side, side) in [0, 1].

    Three of ten are thumbnails, half to all of the photo in one crop; the others anything up to its own resolution.
    """
    height, width = photo.pixels.shape[:2]
    part = min(height, width) * rng.uniform(0.5, 1.0)
    zoom = 1.0 if rng.random() < 0.3 else 2.0 ** rng.uniform(0.0, 4.2)
    window = max(part / zoom, min(side, part))
    left, top = rng.uniform(0, width - window), rng.uniform(0, height - window)
    outer = _outer(left, top, window, width, height)
    image = Image.fromarray(photo.pixels[outer[1] : outer[3], outer[0] : outer[2]])
    box = (left - outer[0], top - outer[1], left - outer[0] + window, top - outer[1] + window)
    square = np.asarray(image.resize((side, side), Image.Resampling.LANCZOS, box=box), dtype=np.float32) / 255
    if rng.random() < 0.5:
        square = square[:, ::-1]
    if rng.random() < 0.25:
        square = square.transpose(1, 0, 2)
    return np.ascontiguousarray(square.transpose(2, 0, 1))


def _outer(left: float, top: float, window: float, width: int, height: int) -> tuple[int, int, int, int]:
    """Whole pixels around a window, as far as there are any."""
    right, bottom = int(np.ceil(left + window)) + 1, int(np.ceil(top + window)) + 1
    return max(0, int(left)), max(0, int(top)), min(width, right), min(height, bottom)
