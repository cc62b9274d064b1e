"""From a file's bytes to validated pixels, and back to PNG.

What comes in: PNG, JPEG and WebP only, the first frame of an animation, turned upright by its
EXIF orientation. A PNG must have its end and correct checksums. Colour profiles and all other metadata are dropped:
pixel values are taken as sRGB, and nothing but pixels ever comes out. Modes: 1-bit, 8-bit and 16-bit grey become one
channel (16 bits are scaled to 8, not clipped); anything with transparency becomes RGBA, unless it is opaque everywhere;
everything else becomes RGB.
"""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from core.codec.decode_cost import refuse_dear
from core.errors import DamagedImage, ImageTooLarge, UnsupportedImage

FORMATS = ("PNG", "JPEG", "WEBP")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}

# Pillow only warns of pictures up to twice its own limit; here its warning ends the read, as its error does.
warnings.simplefilter("error", Image.DecompressionBombWarning)

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What is accepted: pixels per side and in all. Checked on the file's header, before any pixel is decoded."""

    max_side: int = 16_384
    max_pixels: int = 16_777_216

    def check(self, width: int, height: int) -> None:
        """Raises ImageTooLarge."""
        if max(width, height) > self.max_side or width * height > self.max_pixels:
            raise ImageTooLarge(
                f"the image is {width}×{height}: at most {self.max_side} pixels a side and "
                f"{self.max_pixels:,} pixels in all are accepted"
            )


@dataclass(frozen=True, slots=True)
class Picture:
    """pixels: uint8 (height, width, channels) with 1 (grey), 3 (RGB) or 4 (RGBA) channels."""

    pixels: Pixels

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        return int(self.pixels.shape[2])

    def to_png(self) -> bytes:
        """The picture as a PNG file without metadata."""
        array = self.pixels[:, :, 0] if self.channels == 1 else self.pixels
        buffer = io.BytesIO()
        Image.fromarray(array, _MODES[self.channels]).save(buffer, "PNG", compress_level=3)
        return buffer.getvalue()


def read_picture(data: bytes, limits: ImageLimits | None = None) -> Picture:
    """The pixels of an image file.

    Raises UnsupportedImage (not PNG, JPEG or WebP), ImageTooLarge (by its header), DamagedImage (truncated, corrupt).
    """
    image = _open_checked(data, limits or ImageLimits())
    with _damage_as_error():
        if image.format == "PNG":  # load() neither looks at the checksums of pixels nor misses the file's end
            _open(data).verify()
        image.load()
        return Picture(_to_pixels(_upright(image)))


def read_size(data: bytes, limits: ImageLimits | None = None) -> tuple[int, int]:
    """Width and height off an image file's header, before it is turned upright. Raises as `read_picture`."""
    image = _open_checked(data, limits or ImageLimits())
    return image.width, image.height


def _open_checked(data: bytes, limits: ImageLimits) -> Image.Image:
    refuse_dear(data, limits.max_pixels)
    image = _open(data)
    if image.width < 1 or image.height < 1:
        raise DamagedImage(f"the image is {image.width}×{image.height}: both sides must be at least 1 pixel")
    limits.check(image.width, image.height)
    return image


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge("the image has far more pixels than are accepted") from error
    except UnidentifiedImageError as error:
        if _looks_like_png_without_size(data):
            raise DamagedImage("the image has a side of 0 pixels: both sides must be at least 1 pixel") from error
        if data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or data[8:12] == b"WEBP":
            raise DamagedImage("the image file is truncated or damaged") from error
        raise UnsupportedImage("the file is not a PNG, JPEG or WebP image") from error
    except (OSError, SyntaxError, ValueError, MemoryError, struct.error) as error:
        raise DamagedImage("the image file is truncated or damaged") from error


def _looks_like_png_without_size(data: bytes) -> bool:
    """Whether this is a PNG whose header gives a width or height of 0, which Pillow does not recognise as a PNG."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or len(data) < 24:
        return False
    return 0 in struct.unpack(">II", data[16:24])


@contextlib.contextmanager
def _damage_as_error() -> Iterator[None]:
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge("the image unpacks to far more than is accepted") from error
    except (OSError, SyntaxError, ValueError, MemoryError, struct.error) as error:
        raise DamagedImage("the image file is truncated or damaged") from error


def _upright(image: Image.Image) -> Image.Image:
    """Turned by the EXIF orientation 1 to 8. Any other value, or EXIF that cannot be read, is ignored."""
    try:
        return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error):
        return image


def _to_pixels(image: Image.Image) -> Pixels:
    if image.mode.startswith("I"):
        # 16-bit grey: a plain conversion to "L" would clip everything above 255 to white.
        levels = np.asarray(image)
        grey = np.rint(levels / 257.0).clip(0, 255).astype(np.uint8)[..., None]
        if "transparency" not in image.info:
            return grey
        alpha = np.where(levels == image.info["transparency"], 0, 255).astype(np.uint8)[..., None]
        return np.concatenate([grey, grey, grey, alpha], axis=-1)
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        return rgba[..., :3].copy() if bool((rgba[..., 3] == 255).all()) else rgba.copy()
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))[..., None].copy()
    return np.asarray(image.convert("RGB")).copy()
