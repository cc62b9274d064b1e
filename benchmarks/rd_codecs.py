"""What everybody else's codecs make of the same pictures, over the whole range of their settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import numpy as np
import PIL
from PIL import features

from regrow.benchmarks.avif_boxes import coded_bytes
from regrow.benchmarks.rd_curve import Curve, StoredPicture
from regrow.benchmarks.rd_store import Measurer
from regrow.core.codec.encode.other_codecs import JPEG_420, JPEG_444, JPEG_2000, WEBP, Codec, read_file, write_file
from regrow.core.codec.images import Picture, Pixels
from regrow.core.codec.quality import measure

_QUALITIES = (2, 5, 8, 12, 16, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 98, 100)
_AVIF_QUALITIES = (2, 10, 20, 30, 40, 50, 60, 70, 80, 88, 94, 98)
"""Fewer, for AVIF takes far longer than the others; its curves are smooth."""

_RATIOS = (400, 250, 150, 100, 60, 40, 30, 24, 20, 16, 13, 10, 8, 6.5, 5.5, 4.5, 3.7, 3, 2.5, 2)
_DISTANCES = (25, 20, 15, 12, 9, 7, 5.5, 4.5, 3.7, 3, 2.4, 1.9, 1.5, 1.2, 0.9, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05)
_JPEG_XL_EFFORT = 9

AVIF_SPEED = 0
"""The slowest; 2 takes a third of the time and about a per cent more bytes."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A codec that is compared.

    settings: from small files to large ones. is_here: whether this machine has it. write, read: a picture to a file's
    bytes, and back. identity: what decides a file at a setting, for people and for what is remembered. coded: bytes of
    a file that are the coded picture, for a second curve without the container.
    """

    name: str
    settings: Sequence[float]
    is_here: Callable[[], bool]
    write: Callable[[Picture, float], bytes]
    read: Callable[[bytes, int], Pixels]
    identity: Callable[[float], str]
    coded: Callable[[bytes], int] | None = None

    def stored(self, picture: Picture, setting: float) -> StoredPicture:
        """The file of a picture at a setting, measured."""
        data = self.write(picture, setting)
        quality = measure(picture.pixels, self.read(data, picture.channels))
        return StoredPicture(len(data), quality, self.coded(data) if self.coded else None)


def contenders(avif_speed: int = AVIF_SPEED) -> tuple[Contender, ...]:
    """All of them, whether they are here or not. avif_speed: from 0, slow and small, to 10."""
    for_psnr = _of_pillow(_avif("AVIF 4:4:4", "4:4:4", "psnr", avif_speed), _AVIF_QUALITIES, coded_bytes)
    for_ssim = _of_pillow(_avif("AVIF 4:4:4, tuned for SSIM", "4:4:4", "ssim", avif_speed), _AVIF_QUALITIES)
    untuned = _of_pillow(_avif("AVIF 4:4:4, not tuned", "4:4:4", "iq", avif_speed), _AVIF_QUALITIES)
    avif_420 = _of_pillow(_avif("AVIF 4:2:0", "4:2:0", "psnr", avif_speed), _AVIF_QUALITIES)
    return (
        _of_pillow(JPEG_444, _QUALITIES),
        _of_pillow(JPEG_420, _QUALITIES),
        _of_pillow(JPEG_2000, _RATIOS),
        _of_pillow(WEBP, _QUALITIES),
        for_psnr,
        for_ssim,
        untuned,
        avif_420,
        _JPEG_XL,
    )


def codec_curves(pictures: Sequence[Picture], codecs: Sequence[Contender], measurer: Measurer) -> list[Curve]:
    """One curve per codec that is here, and a second one where its container is told apart.

    Nobody stores pictures without a container: the second tells how much of a difference is the container's.
    """
    curves = []
    for codec in codecs:
        if not codec.is_here():
            continue
        curve = measurer.curve(codec.name, pictures, codec.settings, codec.identity, codec.stored)
        curves.append(curve)
        if codec.coded is not None:
            curves.append(curve.without_container())
    return curves


def _avif(name: str, subsampling: str, tune: str, speed: int) -> Codec:
    """tune: what the encoder weighs bytes against. Left to itself, it is "iq", and loses by PSNR and by SSIM."""
    # One tile, made by one thread: tiles would cost bytes.
    fixed = {"speed": speed, "subsampling": subsampling, "autotiling": False, "max_threads": 1}
    return Codec(name, "AVIF", "avif", lambda quality: {"quality": int(quality), "advanced": {"tune": tune}, **fixed})


def _of_pillow(codec: Codec, settings: Sequence[float], coded: Callable[[bytes], int] | None = None) -> Contender:
    def identity(setting: float) -> str:
        version = f"Pillow {PIL.__version__}, {codec.feature} {features.version(codec.feature)}"
        return f"{version}: {codec.kind} {codec.options(setting)}"

    return Contender(
        name=codec.name,
        settings=settings,
        is_here=partial(_pillow_has, codec.feature),
        write=partial(write_file, codec),
        read=read_file,
        identity=identity,
        coded=coded,
    )


def _pillow_has(feature: str) -> bool:
    return bool(features.check(feature))


def _write_jpeg_xl(picture: Picture, distance: float) -> bytes:
    """The bare codestream, as of JPEG 2000."""
    import imagecodecs

    pixels = picture.pixels[:, :, 0] if picture.channels == 1 else picture.pixels
    options = {"effort": _JPEG_XL_EFFORT, "usecontainer": False, "numthreads": 1}
    return bytes(imagecodecs.jpegxl_encode(pixels, distance=distance, **options))


def _read_jpeg_xl(data: bytes, channels: int) -> Pixels:
    import imagecodecs

    pixels = np.asarray(imagecodecs.jpegxl_decode(data, numthreads=1))
    return pixels[:, :, None] if channels == 1 else pixels


def _identity_of_jpeg_xl(distance: float) -> str:
    import imagecodecs

    return f"imagecodecs {imagecodecs.__version__}: JPEG XL, effort {_JPEG_XL_EFFORT}, distance {distance}"


_JPEG_XL = Contender(
    name="JPEG XL",
    settings=_DISTANCES,
    is_here=lambda: find_spec("imagecodecs") is not None,  # Pillow has none
    write=_write_jpeg_xl,
    read=_read_jpeg_xl,
    identity=_identity_of_jpeg_xl,
)
