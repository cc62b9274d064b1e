"""S1: small files that are dear to decode are refused before they are, and real ones are not."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from regrow.core.codec.images import ImageLimits, read_picture, read_size
from regrow.core.codec.reading.decode_cost import MOST_PIECES, MOST_SCANS, SCANS_OF_LARGEST, jpeg_cost, refuse_dear
from regrow.core.errors import DamagedImage, ImageTooLarge
from tests.pictures import image_file, smooth_file, with_scans

JPEG, PROGRESSIVE = smooth_file(64, 64, "JPEG"), smooth_file(64, 64, "JPEG", progressive=True)
LAST_SCAN = PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda") :]
PNG = smooth_file(8, 8)


def _chunk(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


@pytest.mark.parametrize(
    ("data", "scans"),
    [
        pytest.param(PNG, 1, id="png"),
        pytest.param(JPEG, 1, id="baseline"),
        pytest.param(smooth_file(64, 64, "JPEG", restart_marker_blocks=1), 1, id="restarts"),
        pytest.param(PROGRESSIVE, 10, id="progressive"),
        pytest.param(image_file(Image.new("L", (64, 64)), "JPEG", progressive=True), 6, id="progressive-grey"),
        pytest.param(smooth_file(8, 8, "JPEG", exif=b"Exif\0\0" + b"\xff\xda" * 999), 1, id="in-a-segment"),
        pytest.param(JPEG + b"\xff\xda\0\2" * 999, 1, id="behind-the-end"),
        pytest.param(PROGRESSIVE[:-2] + b"\xff\xd0" * 1_000_000 + PROGRESSIVE[-2:], 10, id="restarts-for-long"),
        pytest.param(PROGRESSIVE[:-2] + b"\xff\0" * 999_999 + LAST_SCAN, 11, id="long-scan"),
        pytest.param(with_scans(PROGRESSIVE, 77), 77, id="made-to-hurt"),
        pytest.param(b"\xff\xd8", 1, id="nothing"),
    ],
)
def test_S1_scans_are_counted(data: bytes, scans: int) -> None:
    assert refuse_dear(data, ImageLimits().max_pixels) == scans


@pytest.mark.parametrize("read", [read_size, read_picture])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(with_scans(PROGRESSIVE, MOST_SCANS + 1), id="scans"),
        pytest.param(PNG[:33] + _chunk(b"prVt") * MOST_PIECES + PNG[33:], id="png-chunks"),
        pytest.param(PNG[:33] + _chunk(b"IDAT") * MOST_PIECES + PNG[33:], id="png-idats"),
        pytest.param(JPEG[:2] + b"\xff\xfe\0\2" * MOST_PIECES + JPEG[2:], id="jpeg-segments"),
        pytest.param(JPEG[:2] + b"\xff" * 4 * MOST_PIECES + JPEG[2:], id="jpeg-fill"),
        pytest.param(JPEG[:2] + b"\xff" * 1_000_000 + b"\0" + JPEG[2:], id="jpeg-fill-of-no-marker"),
        pytest.param(JPEG[:2] + b"\xff\0" * 499_999 + JPEG[2:], id="jpeg-stuffed"),
        pytest.param(JPEG[:2] + b"\xff" * 1_000_000, id="jpeg-fill-to-the-end"),
        pytest.param(JPEG[:20] + b"\0" * 33 * MOST_PIECES + JPEG[20:], id="jpeg-junk"),
        pytest.param(JPEG[:20] + b"\0" * 33 * MOST_PIECES, id="jpeg-junk-to-the-end"),
        pytest.param(JPEG[:2] + b"\xff\xd9" * MOST_PIECES + JPEG[2:], id="jpeg-ends"),
    ],
)
def test_S1_what_is_dear_is_refused(read, data: bytes) -> None:
    with pytest.raises(ImageTooLarge, match="save it anew as an ordinary"):
        read(data)


@pytest.mark.parametrize("filler", [b"\xff" * 32_000_000 + b"\0", b"\xff\xd0" * 16_000_000, b"\xff\0" * 16_000_000])
def test_S1_what_fills_a_scan_takes_no_time(filler: bytes) -> None:
    """Some 20 ms of a processor each, where a look at each marker took from 20 s to days."""
    for data in (JPEG[:-2] + filler, JPEG[:-2] + filler + JPEG[-2:]):
        assert read_size(data) == (64, 64)


def test_S1_a_scan_with_fill_is_read_or_refused_as_damaged() -> None:
    with contextlib.suppress(DamagedImage):
        assert read_picture(JPEG[:-2] + b"\xff" * 1_000_000 + b"\0" + JPEG[-2:]).height == 64


def test_S1_scans_are_weighed_by_pixels() -> None:
    data, largest = with_scans(PROGRESSIVE, SCANS_OF_LARGEST + 1), ImageLimits(max_pixels=64 * 64)
    with pytest.raises(ImageTooLarge, match="has 33 scans of 4,096 pixels: at most 32"):
        read_picture(data, largest)
    refuse_dear(with_scans(PROGRESSIVE, SCANS_OF_LARGEST), largest.max_pixels)
    refuse_dear(data, 2 * 64 * 64)


def test_S1_large_pictures_of_usual_encoders_are_read() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (700, 700, 3), dtype=np.uint8))
    jpeg, png = io.BytesIO(), io.BytesIO()
    noise.save(jpeg, "JPEG", quality=90, progressive=True, restart_marker_rows=1)
    noise.save(png, "PNG")
    cost = jpeg_cost(jpeg.getvalue())
    assert (cost.scans, cost.pixels) == (10, 700 * 700)
    assert cost.pieces < 100
    for data in (jpeg.getvalue(), png.getvalue()):
        assert read_picture(data).height == 700


def test_S1_what_is_behind_a_png_is_not_counted() -> None:
    assert read_picture(PNG + _chunk(b"IDAT") * 2 * MOST_PIECES).height == 8
