"""From a file's bytes to validated pixels, and back to PNG.

What comes in: PNG, JPEG and WebP only, the first frame of an animation (of an APNG its static image), turned upright by
its EXIF orientation. A PNG must have its end, all rows and correct checksums; a JPEG must have all data of its pixels
(core.codec.reading.jpeg). Metadata that is broken, or far larger than any, is as none. Colours are converted to sRGB as
browsers do: by PNG's cICP, an embedded ICC profile, or PNG's gAMA and cHRM, in this order; without any they are taken
as sRGB, and a profile that is broken or for another kind of picture is ignored. HDR (PQ, HLG) is refused. All other
metadata is dropped: nothing but pixels ever comes out.

Grey of 1 to 16 bits becomes one channel; anything with transparency becomes RGBA, unless it is opaque everywhere;
everything else becomes RGB. 16-bit levels are divided by 257 and rounded, after the conversion to sRGB where it is by
numbers, before it where it is by an ICC profile.
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
from PIL import Image, UnidentifiedImageError

from regrow.core.codec.reading import jpeg, jpeg_segments, png, webp
from regrow.core.codec.reading.colours import Statement, to_srgb
from regrow.core.codec.reading.decode_cost import refuse_dear
from regrow.core.codec.reading.icc import read_profile
from regrow.core.codec.reading.orientation import orientation_of, upright
from regrow.core.codec.reading.raster import Raster, eight_bits
from regrow.core.codec.reading.source_format import SourceFormat, format_of
from regrow.core.errors import DamagedImage, ImageTooLarge, RegrowError, UnsupportedImage

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
    """pixels: uint8 (height, width, channels) with 1 (grey), 3 (RGB) or 4 (RGBA) channels, sRGB.

    colours: how they came to be sRGB, in a few words of ASCII: "sRGB", "taken as sRGB" (the file said nothing that can
    be used), "converted to sRGB from Display P3". source_format: of the file it was read from, if any.
    """

    pixels: Pixels
    colours: str = "sRGB"
    source_format: SourceFormat | None = None

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
    """The pixels of an image file in sRGB, and what was done about its colours.

    Raises UnsupportedImage (not PNG, JPEG or WebP; HDR; a kind of JPEG that is not read), ImageTooLarge (by its
    header), DamagedImage (truncated, corrupt).
    """
    image, _ = _open_checked(data, limits or ImageLimits())
    with _damage_as_error():
        raster, statements, exif = _decoded(data, image)
        colour, words = to_srgb(raster, statements)
    return Picture(upright(_with_alpha(colour, raster), orientation_of(exif)), words, format_of(data))


@dataclass(frozen=True, slots=True)
class Head:
    """width, height: before the picture is turned upright. scans: how often its pixels are gone over to decode it."""

    width: int
    height: int
    scans: int


def read_head(data: bytes, limits: ImageLimits | None = None) -> Head:
    """What is known of an image file before it is decoded. Raises as `read_picture`."""
    image, scans = _open_checked(data, limits or ImageLimits())
    return Head(image.width, image.height, scans)


def read_size(data: bytes, limits: ImageLimits | None = None) -> tuple[int, int]:
    """Width and height, as of `read_head`."""
    head = read_head(data, limits)
    return head.width, head.height


def _decoded(data: bytes, image: Image.Image) -> tuple[Raster, list[Statement | None], bytes | None]:
    """The samples, what is said of their colours (by precedence), and the EXIF block."""
    if image.format == "PNG":
        png.check(data)
        found = png.first_chunks(data)
        ahead, behind = png.stated_numbers(found)
        profile = None if ahead else read_profile(png.profile_of(found))
        return png.load(data), [ahead, profile, behind], found.get(b"eXIf")
    if image.format == "JPEG":
        raster = png.of_loaded(_open(jpeg.whole(data)))
        return raster, [read_profile(jpeg_segments.profile_of(data))], jpeg_segments.exif_of(data)
    image = _open(webp.on_transparent_canvas(data))
    return png.of_loaded(image), [read_profile(image.info.get("icc_profile"))], image.info.get("exif")


def _with_alpha(colour: Pixels, raster: Raster) -> Pixels:
    if raster.alpha is None:
        return colour
    alpha = eight_bits(raster.alpha)[..., None]
    if bool((alpha == 255).all()):
        return colour
    rgb = colour if colour.shape[-1] == 3 else np.repeat(colour, 3, axis=-1)
    return np.concatenate([rgb, alpha], axis=-1)


def _open_checked(data: bytes, limits: ImageLimits) -> tuple[Image.Image, int]:
    """Pillow's, not loaded, and how often its pixels are gone over."""
    scans = refuse_dear(data, limits.max_pixels)
    image = _open(_plain(data))
    if image.width < 1 or image.height < 1:
        raise DamagedImage(f"the image is {image.width}×{image.height}: both sides must be at least 1 pixel")
    limits.check(image.width, image.height)
    return image, scans


def _plain(data: bytes) -> bytes:
    """The file without what neither its size nor its pixels depend on."""
    if data.startswith(png.SIGNATURE):
        return png.plain(data)
    if data.startswith(jpeg_segments.SOI):
        jpeg.check_kind(data)
        return jpeg_segments.header(data)
    return data


def _open(data: bytes) -> Image.Image:
    with _damage_as_error():
        try:
            return Image.open(io.BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError as error:
            if _looks_like_png_without_size(data):
                raise DamagedImage("the image has a side of 0 pixels: both sides must be at least 1 pixel") from error
            if data.startswith((png.SIGNATURE, jpeg_segments.SOI)) or data[8:12] == b"WEBP":
                raise
            raise UnsupportedImage("the file is not a PNG, JPEG or WebP image") from error


def _looks_like_png_without_size(data: bytes) -> bool:
    """Whether this is a PNG whose header gives a width or height of 0, which Pillow does not recognise as a PNG."""
    if data[:8] != png.SIGNATURE or data[12:16] != b"IHDR" or len(data) < 24:
        return False
    return 0 in struct.unpack(">II", data[16:24])


@contextlib.contextmanager
def _damage_as_error() -> Iterator[None]:
    """Around the decoding of bytes that anybody may have written, and nothing else."""
    try:
        yield
    except RegrowError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge("the image has far more pixels than are accepted") from error
    except MemoryError as error:
        raise ImageTooLarge("the image needs more memory to decode than there is") from error
    except Exception as error:  # what a decoder raises for broken files is no promise of its: IndexError, for one
        raise DamagedImage("the image file is truncated or damaged") from error
