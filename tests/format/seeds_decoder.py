"""A decoder of the profile `seeds` (profile 1 of `.gnca`, version 1), written from section 7 of FORMAT.md alone.

It shares no code with any other implementation and aims at being easy to compare with the document: its parts carry
the numbers of the document's sections. All arithmetic is on integers, but for two tables (7.7). The parts are in
seeds_decoder_model.py (7.2), _coder.py (7.4 to 7.6), _laws.py (7.7) and _grow.py (7.3, 7.8, 7.9).

    python -m tests.format.seeds_decoder IN.gnca MODEL.safetensors OUT.png
"""

from __future__ import annotations

import math
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.format.seeds_decoder_grow import decode_payload
from tests.format.seeds_decoder_model import FormatError, read_model, require

# ---------------------------------------------------------------------------------------------------------------------
# 7.1 The file
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Header:
    """The fields of 7.1, and where the header ends."""

    model: int
    step: int  # s
    channels: int
    longest: int  # N
    width: int
    height: int
    end: int

    def patches(self) -> list[tuple[range, range]]:
        """Rows and columns of the picture that each patch has (7.3)."""
        cuts = []
        for side in (self.height, self.width):
            n = math.ceil(side / self.longest)
            cuts.append([range(i * side // n, (i + 1) * side // n) for i in range(n)])
        return [(rows, columns) for rows in cuts[0] for columns in cuts[1]]


def read_header(data: bytes) -> Header:
    """Read and check the header."""
    require(data[:4] == b"GNCA", "This is no .gnca bundle: it does not start with GNCA.")
    require(len(data) >= 9, "The file ends inside its header.")
    require(data[4] == 1, f"Version {data[4]} of the format is not known.")
    require(data[5] == 1, f"Profile {data[5]} is not that of this reader.")
    require(data[6] == 1, f"Model {data[6]} is not known.")
    fields = data[7] + 256 * data[8]
    step, kind, longest = fields % 4096, fields >> 12 & 3, fields >> 14
    require(step <= 2560, f"The step size code is {step}.")
    require(kind <= 2, f"Kind {kind} is reserved.")
    width, position = read_side(data, 9)
    height, position = read_side(data, position)
    return Header(data[6], step, (1, 3, 4)[kind], 64 << longest, width, height, position)


def read_side(data: bytes, position: int) -> tuple[int, int]:
    """A side, and where it ends."""
    require(position < len(data), "The file ends inside its header.")
    b = data[position]
    if b < 128:
        return b + 1, position + 1
    require(position + 1 < len(data), "The file ends inside its header.")
    d = data[position + 1]
    require(1 <= d <= 127, "A side is not written as it should be.")
    return 1 + b % 128 + 128 * d, position + 2


def check(data: bytes) -> bytes:
    """The low 24 bits of a CRC."""
    return (zlib.crc32(data) % (1 << 24)).to_bytes(3, "little")


def read_payloads(data: bytes, header: Header) -> list[bytes]:
    """Check all that is not in the payloads; give these."""
    count, start = len(header.patches()), header.end
    if count == 1:
        require(len(data) >= start + 3, "The file ends too early.")
        require(check(data[:-3]) == data[-3:], "The check of the file is wrong.")
        return [data[start:-3]]
    position = start + 6 * count
    require(len(data) >= position + 3, "The file ends inside its table.")
    require(check(data[:position]) == data[position : position + 3], "The check of header and table is wrong.")
    payloads, end = [], position + 3
    for entry in range(start, position, 6):
        length = int.from_bytes(data[entry : entry + 3], "little")
        payloads.append(data[end : end + length])
        end += length
        require(check(payloads[-1]) == data[entry + 3 : entry + 6], "The check of a payload is wrong.")
    require(end == len(data), f"The file has {len(data)} bytes; by its table it must have {end}.")
    return payloads


def decode(data: bytes, model_file: bytes) -> NDArray[np.uint8]:
    """Decode a bundle into a picture, (H, W, channels); model_file: that of the id 1. Raises FormatError."""
    header = read_header(data)
    payloads = read_payloads(data, header)
    model = read_model(model_file)
    picture = np.zeros((header.height, header.width, header.channels), np.uint8)
    for (rows, columns), payload in zip(header.patches(), payloads, strict=True):
        pixels = decode_payload(payload, model, (len(rows), len(columns)), header.channels, header.step)
        picture[rows.start : rows.stop, columns.start : columns.stop] = pixels
    return picture


def main() -> None:
    """Decode the bundle named by the first argument, by the model named by the second, into the PNG of the third."""
    from PIL import Image

    if len(sys.argv) != 4:
        sys.exit("usage: python -m tests.format.seeds_decoder IN.gnca MODEL.safetensors OUT.png")
    try:
        picture = decode(Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]).read_bytes())
    except FormatError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
    Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).save(sys.argv[3], "PNG")


if __name__ == "__main__":
    main()
