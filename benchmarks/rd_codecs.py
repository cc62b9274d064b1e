"""What everybody else's codecs make of the same pictures: whole files without metadata, written by Pillow."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, features

from benchmarks.rd_curve import Curve, CurvePoint, StoredPicture
from core.codec.images import Picture
from core.codec.metrics import measure

Options = dict[str, Any]

JPEG_444 = "JPEG 4:4:4"
"""The codec that others are compared with first."""

_QUALITIES = (2, 5, 8, 12, 16, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95)
_RATIOS = (60.0, 40.0, 30.0, 24.0, 20.0, 16.0, 13.0, 10.0, 8.0, 6.5, 5.5, 4.5, 3.7, 3.0, 2.5, 2.0)


@dataclass(frozen=True, slots=True)
class Codec:
    """kind: Pillow's name of the format. feature: that Pillow must have been built with. options: for one setting."""

    name: str
    kind: str
    feature: str
    settings: Sequence[float]
    options: Callable[[float], Options]


CODECS = (
    Codec(JPEG_444, "JPEG", "jpg", _QUALITIES, lambda q: {"quality": q, "optimize": True, "subsampling": 0}),
    Codec("JPEG 4:2:0", "JPEG", "jpg", _QUALITIES, lambda q: {"quality": q, "optimize": True, "subsampling": 2}),
    Codec(
        "JPEG 2000",
        "JPEG2000",
        "jpg_2000",
        _RATIOS,
        # The bare codestream: the JP2 box around it would only make small pictures look worse.
        lambda ratio: {"quality_mode": "rates", "quality_layers": [ratio], "irreversible": True, "no_jp2": True},
    ),
    Codec("WebP", "WEBP", "webp", _QUALITIES, lambda q: {"quality": q, "method": 6}),
    Codec("AVIF 4:4:4", "AVIF", "avif", _QUALITIES, lambda q: {"quality": q, "speed": 0, "subsampling": "4:4:4"}),
    Codec("AVIF 4:2:0", "AVIF", "avif", _QUALITIES, lambda q: {"quality": q, "speed": 0, "subsampling": "4:2:0"}),
)


def codec_curves(pictures: Sequence[Picture], codecs: Sequence[Codec] = CODECS) -> list[Curve]:
    """One curve per codec that this Pillow has; its points are settings, the same for all pictures."""
    return [
        Curve(codec.name, tuple(_point(codec, setting, pictures) for setting in codec.settings))
        for codec in codecs
        if features.check(codec.feature)
    ]


def _point(codec: Codec, setting: float, pictures: Sequence[Picture]) -> CurvePoint:
    return CurvePoint(f"{setting:g}", tuple(_stored(codec, setting, picture) for picture in pictures))


def _stored(codec: Codec, setting: float, picture: Picture) -> StoredPicture:
    buffer = io.BytesIO()
    Image.fromarray(picture.pixels).save(buffer, codec.kind, **codec.options(setting))
    size = buffer.tell()
    back = np.asarray(Image.open(buffer).convert("RGB"))
    return StoredPicture(size, measure(picture.pixels, back))
