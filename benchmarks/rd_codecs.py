"""What everybody else's codecs make of the same pictures, over the whole range of their settings."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import features

from regrow.benchmarks.rd_curve import Curve, CurvePoint, StoredPicture
from regrow.core.codec.encode.other_codecs import JPEG_420, JPEG_444, JPEG_2000, WEBP, Codec, read_file, write_file
from regrow.core.codec.images import Picture
from regrow.core.codec.quality import measure

_QUALITIES = (2, 5, 8, 12, 16, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95)
_RATIOS = (60.0, 40.0, 30.0, 24.0, 20.0, 16.0, 13.0, 10.0, 8.0, 6.5, 5.5, 4.5, 3.7, 3.0, 2.5, 2.0)

_AVIF_444 = Codec("AVIF 4:4:4", "AVIF", "avif", lambda q: {"quality": q, "speed": 0, "subsampling": "4:4:4"})
_AVIF_420 = Codec("AVIF 4:2:0", "AVIF", "avif", lambda q: {"quality": q, "speed": 0, "subsampling": "4:2:0"})

CODECS = (JPEG_444, JPEG_420, JPEG_2000, WEBP, _AVIF_444, _AVIF_420)


def codec_curves(pictures: Sequence[Picture], codecs: Sequence[Codec] = CODECS) -> list[Curve]:
    """One curve per codec that this Pillow has; its points are settings, the same for all pictures."""
    return [
        Curve(codec.name, tuple(_point(codec, setting, pictures) for setting in _settings(codec)))
        for codec in codecs
        if features.check(codec.feature)
    ]


def _settings(codec: Codec) -> Sequence[float]:
    return _RATIOS if codec is JPEG_2000 else _QUALITIES


def _point(codec: Codec, setting: float, pictures: Sequence[Picture]) -> CurvePoint:
    return CurvePoint(f"{setting:g}", tuple(_stored(codec, setting, picture) for picture in pictures))


def _stored(codec: Codec, setting: float, picture: Picture) -> StoredPicture:
    data = write_file(codec, picture, setting)
    return StoredPicture(len(data), measure(picture.pixels, read_file(data, picture.channels)))
