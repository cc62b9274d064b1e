"""From an embedded ICC profile to sRGB, with LittleCMS through Pillow."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from regrow.core.codec.reading.colour_numbers import refuse_hdr
from regrow.core.codec.reading.raster import Bytes

_MODES = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK"}
_CHANNELS = {"L": 1, "RGB": 3, "CMYK": 4}
_SAME = 2  # levels: tables of sRGB differ by as much


@dataclass(frozen=True, slots=True)
class IccProfile:
    """name: its description, as far as it is printable ASCII. mode: Pillow's, of the colours that it describes."""

    name: str
    mode: str
    transform: ImageCms.ImageCmsTransform

    @property
    def is_srgb(self) -> bool:
        """Whether the profile leaves a lattice of colours where they are, give or take two levels."""
        if self.mode != "RGB":
            return False
        levels = np.arange(0, 256, 15, dtype=np.uint8)
        lattice = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
        return bool((np.abs(self._apply(lattice).astype(int) - lattice) <= _SAME).all())

    def fits(self, colour: Bytes) -> bool:
        """A profile of RGB serves grey pictures too, as in browsers."""
        channels = colour.shape[-1]
        return _CHANNELS[self.mode] == channels or (self.mode == "RGB" and channels == 1)

    def convert(self, colour: Bytes) -> Bytes:
        """Grey, RGB or CMYK to sRGB: grey stays grey, the others become RGB; uint8 (height, width, channels)."""
        if colour.shape[-1] != 1:
            return self._apply(colour)
        ramp = np.arange(256, dtype=np.uint8)[None, :, None].repeat(_CHANNELS[self.mode], axis=2)
        shown = Image.fromarray(self._apply(ramp)).convert("L")
        grey: Bytes = np.asarray(shown)[0][colour]
        return grey

    def _apply(self, colour: Bytes) -> Bytes:
        image = Image.fromarray(np.ascontiguousarray(colour[..., 0] if self.mode == "L" else colour), self.mode)
        return np.asarray(ImageCms.applyTransform(image, self.transform))


def read_profile(data: bytes | None) -> IccProfile | None:
    """None for none, and for one that cannot be used: browsers ignore it too.

    Perceptual intent, which is what browsers use. Raises UnsupportedImage for a profile that says it is HDR.
    """
    if not data:
        return None
    _refuse_hdr_profile(data)
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        mode = _MODES[profile.profile.xcolor_space]
        intent = ImageCms.Intent.PERCEPTUAL
        exact = ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE  # its tables are coarse in the dark
        transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB", intent, exact)
        described = ImageCms.getProfileDescription(profile)
    except Exception:  # whatever LittleCMS and Pillow make of bytes that anybody may have written
        return None
    name = "".join(letter for letter in described if " " <= letter <= "~").strip()[:60]
    return IccProfile(name or "an ICC profile", mode, transform)


def _refuse_hdr_profile(data: bytes) -> None:
    """By the `cicp` tag of ICC.1:2022, 9.2.17."""
    count = min(struct.unpack_from(">I", data, 128)[0], 100) if len(data) >= 132 else 0
    for at in range(132, min(132 + 12 * count, len(data) - 11), 12):
        name, offset, size = struct.unpack_from(">4sII", data, at)
        if name == b"cicp" and size >= 12 and offset + 12 <= len(data):
            refuse_hdr(data[offset + 9])
