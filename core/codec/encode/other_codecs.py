"""What everybody else's codecs make of a picture: whole files without metadata, written by Pillow.

A comparison is fair at the same number of bytes only, so each codec's best file within them is searched for.
"""

from __future__ import annotations

import io
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, features

from regrow.core.codec.images import Picture, Pixels
from regrow.core.codec.picture_files import image_of
from regrow.core.codec.quality import measure, squared_error

Options = dict[str, Any]
GoOn = Callable[[], None]

MANY_PIXELS = 4_194_304
"""Of a picture whose searches try every fourth setting only, and none beside what they find."""

NEIGHBOURS = 2
"""Settings tried on either side of what bisection finds: neither size nor quality quite follows the setting."""

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True, slots=True)
class Codec:
    """One way to write files.

    name: for people. kind, feature: Pillow's names of the format and of what it must have been built with. options:
    Pillow's, for a setting. colours: the numbers of channels it can hold. longest_side: of a picture, in pixels.
    """

    name: str
    kind: str
    feature: str
    options: Callable[[float], Options]
    colours: tuple[int, ...] = (1, 3, 4)
    longest_side: int = 65_535


JPEG_444 = Codec("JPEG 4:4:4", "JPEG", "jpg", lambda q: {"quality": int(q), "optimize": True, "subsampling": 0}, (1, 3))
JPEG_420 = Codec("JPEG 4:2:0", "JPEG", "jpg", lambda q: {"quality": int(q), "optimize": True, "subsampling": 2}, (1, 3))
JPEG_2000 = Codec(
    "JPEG 2000",
    "JPEG2000",
    "jpg_2000",
    # The bare codestream: the JP2 box around it would only make small pictures look worse. With its colour transform
    # (mct), which Pillow leaves out unless asked, and which RGB needs: without it, it loses 3 dB and more.
    lambda ratio: {"quality_mode": "rates", "quality_layers": [ratio], "irreversible": True, "no_jp2": True, "mct": 1},
)
WEBP = Codec(
    "WebP",
    "WEBP",
    "webp",
    # Not exact: what lies below transparent pixels is not measured. Alpha itself is kept without loss.
    lambda q: {"quality": int(q), "method": 6},
    (3, 4),
    16_383,
)


@dataclass(frozen=True, slots=True)
class OtherFile:
    """What one codec makes of a picture.

    codec: its name. setting: quality, or for JPEG 2000 the ratio asked for; as Pillow takes it. bytes: of the file.
    fits: False where even the smallest file, which this is then, has too many bytes. psnr: dB. ssim: None where a side
    is under 11 pixels. mse: squared 8-bit levels. All measured as the regrown picture is.
    """

    codec: str
    setting: float
    bytes: int
    fits: bool
    psnr: float
    ssim: float | None
    mse: float


def write_file(codec: Codec, picture: Picture, setting: float) -> bytes:
    """The picture as a file of the codec; grey as RGB where it has no grey."""
    image = image_of(picture)
    if picture.channels not in codec.colours:
        image = image.convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, codec.kind, **codec.options(setting))
    return buffer.getvalue()


def read_file(data: bytes, channels: int) -> Pixels:
    """The pixels of a file that write_file wrote; uint8 (height, width, channels)."""
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert(_MODES[channels]))
    return pixels[:, :, None] if channels == 1 else pixels


def best_files(picture: Picture, max_bytes: int, go_on: GoOn = lambda: None) -> tuple[OtherFile, ...]:
    """The best file of at most so many bytes (least squared error) of JPEG, JPEG 2000 and WebP; deterministic.

    go_on: called before each file of the search, and may raise to end it: of a large picture it takes a minute.

    JPEG is the better of 4:4:4 and 4:2:0, and has no row where there is alpha, which it cannot hold. A codec that this
    Pillow was built without has none either. Settings are found by bisection; over MANY_PIXELS among fewer.
    """
    jpegs = (JPEG_444, JPEG_420) if picture.channels > 1 else (replace(JPEG_444, name="JPEG"),)
    rows = []
    for codecs in (jpegs, (JPEG_2000,), (WEBP,)):
        tries = [_Search(codec, picture, max_bytes, go_on).best() for codec in codecs if _can_write(codec, picture)]
        if tries:
            go_on()
            rows.append(min(tries, key=lambda each: each.rank).measured())
    return tuple(rows)


def _can_write(codec: Codec, picture: Picture) -> bool:
    if picture.channels == 4 and 4 not in codec.colours:
        return False
    return bool(features.check(codec.feature)) and max(picture.height, picture.width) <= codec.longest_side


def settings_of(codec: Codec, picture: Picture, max_bytes: int) -> list[float]:
    """The settings among which the best is searched, from that of the smallest file to that of the largest.

    A rate asked of JPEG 2000 is a number of bytes, which its files miss by up to 16 above and some per cent below.
    """
    every = 4 if _has_many_pixels(picture) else 1
    if codec.kind == "JPEG":
        return list(range(1, 101, every))
    if codec.kind == "WEBP":
        return list(range(0, 101, every))
    around = np.linspace(max_bytes - 16, 1.03 * max_bytes + 16, 49)[::every]
    sizes = sorted({1, *(max(1, round(size)) for size in around.tolist())})
    return [picture.pixels.size / size for size in sizes]


def _has_many_pixels(picture: Picture) -> bool:
    return picture.width * picture.height > MANY_PIXELS


@dataclass(frozen=True, slots=True)
class _Try:
    """One file that was written. rank: the lower, the better. Files that fit come first, by their error, then others,
    by their size."""

    picture: Picture
    codec: Codec
    setting: float
    data: bytes
    max_bytes: int

    @property
    def fits(self) -> bool:
        return len(self.data) <= self.max_bytes

    @property
    def rank(self) -> tuple[bool, float]:
        return (False, self._squared_error()) if self.fits else (True, len(self.data))

    def _squared_error(self) -> int:
        return squared_error(self.picture.pixels, read_file(self.data, self.picture.channels))

    def measured(self) -> OtherFile:
        quality = measure(self.picture.pixels, read_file(self.data, self.picture.channels))
        return OtherFile(
            self.codec.name, float(self.setting), len(self.data), self.fits, quality.psnr, quality.ssim, quality.mse
        )


class _Search:
    """For the best file of one codec."""

    def __init__(self, codec: Codec, picture: Picture, max_bytes: int, go_on: GoOn) -> None:
        self._codec, self._picture, self._max_bytes, self._go_on = codec, picture, max_bytes, go_on
        self._settings = settings_of(codec, picture, max_bytes)
        self._neighbours = 0 if _has_many_pixels(picture) else NEIGHBOURS
        self._tries: dict[int, _Try] = {}

    def best(self) -> _Try:
        """The best file: bisection finds the largest setting whose file fits; its neighbours are tried too."""
        end = bisect_left(range(len(self._settings)), True, key=lambda index: not self._at(index).fits)
        around = range(max(0, end - 1 - self._neighbours), min(end + self._neighbours, len(self._settings)))
        return min((self._at(index) for index in around or range(1)), key=lambda each: each.rank)

    def _at(self, index: int) -> _Try:
        if index not in self._tries:
            self._go_on()
            setting = self._settings[index]
            data = write_file(self._codec, self._picture, setting)
            self._tries[index] = _Try(self._picture, self._codec, setting, data, self._max_bytes)
        return self._tries[index]
