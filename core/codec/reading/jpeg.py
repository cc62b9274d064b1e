"""JPEG files: which kinds are read, and whether the data of the whole picture is there (ITU-T T.81).

A marker proves nothing: half a file may end with EOI, and a whole one may lack it. What counts is what a decoder finds:

1. The scans together must be the whole picture: each component comes, and in a progressive file each coefficient to its
   last bit.
2. libjpeg-turbo (simplejpeg, which raises on its warnings; Pillow says nothing of them) decodes the entropy-coded data
   of all scans, at an eighth of the size, and must not run out of data, nor meet a marker or code in a wrong place, nor
   leave over more than some padding behind a scan, or some junk behind the last.
3. Where its warning may hide another, or it does not know the file's subsampling, other bytes are put behind the data
   of every scan and the pixels must stay as they are: they change where the decoder had wanted more. If bytes are left
   over, zeros at the end are taken away before, for they are valid codes: what fills a hole must not have been needed.

What stands between segments and after EOI does not matter. A file that lacks nothing but EOI is read as if it had one.

There are limits: other bytes of about the right length in place of data may be valid codes of another picture, and pass
all of this. Arithmetic coding lets an encoder drop zeros at the end (D.1.8), so that a decoder cannot tell what is
missing: there the first rule holds, and EOI must be there.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import simplejpeg
from PIL import Image

from regrow.core.codec.reading.jpeg_segments import (
    DECODING,
    END,
    EOI,
    FRAMES,
    SCAN,
    SOI,
    segment,
    segments,
    tells_colour,
)
from regrow.core.errors import DamagedImage, UnsupportedImage

_OTHER_DEPTHS = {*range(2, 17)} - {8}  # bits a sample
_HIERARCHICAL = {0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF}
_PROGRESSIVE, _LOSSLESS, _ARITHMETIC = {0xC2, 0xCA}, {0xC3, 0xCB}, {0xC9, 0xCA, 0xCB}
_LACKING = re.compile("(?i)premature end|bad huffman code|instead of RST|extraneous bytes before marker 0xd[0-7]")
_LEFT_OVER = re.compile("([0-9]+) extraneous bytes before marker 0x(..)")
_PADDING, _JUNK_AT_END = 3, 64  # bytes that may be left over behind a scan, and behind the last one besides 0 and 0xFF
_OTHER_BYTES = b"".join(bytes(range(1, 250)) + bytes([0xFF, marker]) for marker in range(0xD0, 0xD8))
_ZEROS_OF_ITS_OWN = 2  # bytes of 0 that real data may end with


@dataclass(slots=True)
class _Frame:
    """kind: of its SOF marker. missing: per component, for each coefficient the bits that have not come yet."""

    kind: int
    missing: dict[int, list[int]]

    def take(self, header: bytes) -> None:
        """A scan's header (B.2.3), without its length."""
        count = header[0]
        first, last, bits = header[1 + 2 * count : 4 + 2 * count]
        for component in header[1 : 1 + 2 * count : 2]:
            left = self.missing[component]
            if self.kind not in _PROGRESSIVE:
                first, last, bits = 0, len(left) - 1, 0
            for coefficient in range(first, min(last, 63) + 1):
                left[coefficient] = bits & 15

    @property
    def complete(self) -> bool:
        return not any(any(left) for left in self.missing.values())


@dataclass(slots=True)
class _Parts:
    """What is needed to decode the entropy-coded data, without EOI, and without anything of colours or metadata.

    decoding: segments, and after each the data of its scan, empty if it begins none. colour: the segments that tell
    YCbCr from RGB.
    """

    frame: _Frame
    decoding: list[bytes]
    colour: list[bytes]
    ended: bool


def check_kind(data: bytes) -> None:
    """From the header. Raises UnsupportedImage for kinds of JPEG that no browser shows either."""
    for marker, body, _ in segments(data, ahead=True):
        if marker in FRAMES and body:
            if marker in _HIERARCHICAL:
                raise UnsupportedImage(
                    "the image is a hierarchical JPEG, which is not supported: save it as a plain one"
                )
            if body[0] in _OTHER_DEPTHS:
                raise UnsupportedImage(f"the JPEG has {body[0]} bits a sample: only 8 are supported")
        if marker in FRAMES:
            return


def whole(data: bytes) -> bytes:
    """The file without metadata, and with an EOI, which is all that may be missing. Raises DamagedImage where more is.

    A decoder gets nothing that it could stumble on: Pillow refuses a whole file for a JFIF segment that is too short.
    """
    try:
        parts = _parts_of(data)
    except (LookupError, ValueError):
        raise _damaged("a part of its structure is broken") from None
    if not parts.frame.complete:
        raise _damaged("not all scans of the picture are there")
    if parts.frame.kind in _ARITHMETIC:
        if not parts.ended:
            raise _damaged("its end is missing")
    else:
        _check_scans(parts)
    return b"".join([SOI, *parts.colour, *parts.decoding, EOI])


def _damaged(why: str) -> DamagedImage:
    return DamagedImage(f"the image file is truncated or damaged: {why}")


def _parts_of(data: bytes) -> _Parts:
    """Raises LookupError or ValueError where the structure makes no sense."""
    frame, decoding, colour, marker = None, list[bytes](), list[bytes](), 0
    for marker, body, scan in segments(data):
        if marker in FRAMES:
            if frame is not None:
                raise ValueError("a second frame")
            coefficients = 1 if marker in _LOSSLESS else 64
            frame = _Frame(marker, {body[6 + 3 * n]: [1] * coefficients for n in range(body[5])})
        if marker == SCAN:
            if frame is None:
                raise ValueError("a scan without a frame")
            frame.take(body)
            if frame.kind not in _PROGRESSIVE | _LOSSLESS:
                body = body[: 1 + 2 * body[0]] + b"\x00\x3f\x00"  # some encoders write others, which decoders ignore
        if marker in DECODING:
            decoding += [segment(marker, body), scan]
        if tells_colour(marker, body):
            colour.append(segment(marker, body))
    if frame is None:
        raise ValueError("no frame")
    return _Parts(frame, decoding, colour, ended=marker == END)


def _check_scans(parts: _Parts) -> None:
    """Raises DamagedImage where data of pixels is missing or in a wrong place."""
    warning = _warning_of(parts)
    if not warning:
        return
    *before, scan = parts.decoding
    if _LACKING.search(warning) or _misplaced(warning, scan):
        raise _damaged("data of its pixels is missing")
    if _LEFT_OVER.search(warning) and scan.endswith(b"\0" * _ZEROS_OF_ITS_OWN):
        scan = scan.rstrip(b"\0") + bytes(_ZEROS_OF_ITS_OWN)
    others = [part + _OTHER_BYTES if at % 2 and part else part for at, part in enumerate([*before, scan])]
    if _pixels(*parts.decoding) != _pixels(*others):
        raise _damaged("data of its pixels is missing")


def _misplaced(warning: str, last_scan: bytes) -> bool:
    """Whether what is left over is so much that it is data which a decoder has lost its way to."""
    found = _LEFT_OVER.search(warning)
    if not found:
        return False
    count, marker = int(found[1]), int(found[2], 16)
    if marker != END:
        return count > _PADDING
    return count - (len(last_scan) - len(last_scan.rstrip(b"\0\xff"))) > _JUNK_AT_END


def _warning_of(parts: _Parts) -> str:
    """libjpeg-turbo's first warning or its error; "" for none."""
    space = "CMYK" if len(parts.frame.missing) == 4 else "GRAY"
    try:
        simplejpeg.decode_jpeg(b"".join([SOI, *parts.decoding, EOI]), space, min_factor=8, strict=True)
    except ValueError as error:
        return str(error)
    return ""


def _pixels(*decoding: bytes) -> bytes:
    with Image.open(io.BytesIO(b"".join([SOI, *decoding, EOI])), formats=["JPEG"]) as image:
        return image.tobytes()
