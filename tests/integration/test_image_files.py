"""I3, I5, I8 to I13 over HTTP: what becomes of unusual and of damaged image files."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.pictures import image_file, smooth_file, smooth_pixels

PIXELS = smooth_pixels(12, 16)
PICTURE = Image.fromarray(PIXELS)
PNG = image_file(PICTURE)
SIGNATURE, IEND = PNG[:8], PNG[-12:]


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _sent(client: httpx.Client, data: bytes) -> httpx.Response:
    """The picture as it was taken in."""
    answer = client.post("/encode", content=data)
    assert answer.status_code == 202, answer.text
    return client.get(answer.json()["links"]["source"])


def _pixels(answer: httpx.Response) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def _assert_damaged(client: httpx.Client, data: bytes) -> None:
    answer = client.post("/encode", content=data)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/damaged-image")


@pytest.mark.parametrize("name", [b"IHDR", b"IDAT"])
def test_I3_a_bad_checksum_is_damage(client: httpx.Client, name: bytes) -> None:
    start = PNG.index(name) - 4
    end = start + 12 + struct.unpack(">I", PNG[start : start + 4])[0]
    _assert_damaged(client, PNG[: end - 1] + bytes([PNG[end - 1] ^ 1]) + PNG[end:])


def test_I3_a_png_without_its_end_is_damage(client: httpx.Client) -> None:
    _assert_damaged(client, PNG[:-12])


BOMB = zlib.compress(bytes(50_000_000), 9)


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(_chunk(b"zTXt", b"key\0\0" + BOMB), id="zTXt"),
        pytest.param(_chunk(b"iTXt", b"key\0\1\0\0\0" + BOMB), id="iTXt"),
        pytest.param(_chunk(b"iCCP", b"profile\0\0" + BOMB), id="iCCP"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_I5_bombs_beside_the_pixels(client: httpx.Client, chunk: bytes, late: bool) -> None:
    """50 MB in 50 kB, before the pixels and after them: nobody unpacks them."""
    bomb = PNG[:-12] + chunk + IEND if late else PNG[:33] + chunk + PNG[33:]
    assert (_pixels(_sent(client, bomb)) == PIXELS).all()


def test_I5_a_bomb_of_pixels(client: httpx.Client) -> None:
    """More pixels than the header says: what is beyond is not looked at."""
    header = struct.pack(">IIBBBBB", 16, 12, 8, 2, 0, 0, 0)
    data = SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", BOMB) + IEND
    assert _pixels(_sent(client, data)).shape == (12, 16, 3)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "MPO"])
def test_I8_of_animations_the_first_frame_counts(client: httpx.Client, kind: str) -> None:
    second = Image.fromarray(255 - PIXELS)
    options = {"lossless": True} if kind == "WEBP" else {}
    data = image_file(PICTURE, kind, save_all=True, append_images=[second], **options)
    found = _pixels(_sent(client, data)).astype(int)
    assert np.abs(found - PIXELS).max() <= (40 if kind == "MPO" else 0)
    assert np.abs(found - PIXELS).mean() < 5


@pytest.mark.parametrize(
    ("mode", "shape"),
    [
        ("1", (12, 16)),
        ("L", (12, 16)),
        ("I;16", (12, 16)),
        ("LA", (12, 16, 4)),
        ("P", (12, 16, 3)),
        ("CMYK", (12, 16, 3)),
    ],
)
def test_I9_modes(client: httpx.Client, mode: str, shape: tuple[int, ...]) -> None:
    if mode == "I;16":
        image = Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257)
    elif mode == "LA":
        image = Image.merge("LA", [PICTURE.convert("L"), Image.new("L", PICTURE.size, 100)])
    else:
        image = PICTURE.convert(mode)
    found = _pixels(_sent(client, image_file(image, "JPEG" if mode == "CMYK" else "PNG")))
    assert found.shape == shape
    if mode == "I;16":
        assert (found == PIXELS[..., 0]).all()
    if mode == "LA":
        assert (found[..., 3] == 100).all()


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8, 99])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_I10_orientations(client: httpx.Client, orientation: int, kind: str) -> None:
    corner = np.zeros((16, 24), np.uint8)
    corner[:8, :8] = 255  # the top-left as stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = image_file(Image.fromarray(corner).convert("RGB"), kind, exif=exif)
    found = _pixels(_sent(client, data))[..., 0]
    assert found.shape == ((24, 16) if 5 <= orientation <= 8 else (16, 24))
    row, column = {2: (0, -1), 3: (-1, -1), 4: (-1, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}.get(orientation, (0, 0))
    corners = {(y, x): found[y, x] > 128 for y in (0, -1) for x in (0, -1)}
    assert corners == {place: place == (row, column) for place in corners}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_I11_metadata_ends_here(client: httpx.Client, kind: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret"
    exif.get_ifd(0x8825)[29] = "2001:01:01 a place"
    answer = _sent(client, image_file(PICTURE, kind, exif=exif, icc_profile=b"a profile" * 100))
    image = Image.open(io.BytesIO(answer.content))
    image.load()
    assert not image.info
    assert not image.getexif()
    assert not any(word in answer.content for word in (b"secret", b"place", b"profile"))


def test_I12_of_a_polyglot_only_pixels_are_kept(client: httpx.Client) -> None:
    archive = io.BytesIO(PNG)
    with zipfile.ZipFile(archive, "a") as both:
        both.writestr("evil.html", "<script>alert(1)</script>")
    assert zipfile.is_zipfile(archive)
    answer = _sent(client, archive.getvalue())
    assert (_pixels(answer) == PIXELS).all()
    assert b"script" not in answer.content
    assert not zipfile.is_zipfile(io.BytesIO(answer.content))
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"


def _files() -> list[bytes]:
    """Small files of all kinds that are taken in."""
    whole = [smooth_file(12, 16, kind) for kind in ("PNG", "JPEG", "WEBP")]
    exif = Image.Exif()
    exif[0x0112] = 6
    whole += [smooth_file(12, 16, kind, exif=exif, icc_profile=bytes(200)) for kind in ("PNG", "JPEG", "WEBP")]
    whole += [image_file(PICTURE, kind, save_all=True, append_images=[PICTURE]) for kind in ("PNG", "WEBP", "MPO")]
    whole += [image_file(PICTURE.convert(mode)) for mode in ("1", "L", "P", "RGBA")]
    return [*whole, image_file(PICTURE, "JPEG", progressive=True), image_file(PICTURE, "WEBP", lossless=True)]


def _mutant(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, a piece removed, doubled or filled; checksums of a PNG mended, so that more is reached."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        start = int(rng.integers(len(changed)))
        stop = min(len(changed), start + int(rng.integers(1, 16)))
        piece = changed[start:stop]
        values = [bytes(rng.integers(0, 256, len(piece), dtype=np.uint8)), b"", piece * 2, b"\xff" * len(piece)]
        changed[start:stop] = values[rng.integers(len(values))]
    return _mended(bytes(changed)) if data.startswith(SIGNATURE) else bytes(changed)


def _mended(data: bytes) -> bytes:
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        size = min(struct.unpack(">I", data[at : at + 4])[0], len(data) - at - 12)
        out += _chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + size])
        at += 12 + size
    return bytes(out)


def _assert_taken_or_refused(client: httpx.Client, data: bytes, name: str) -> None:
    answer = client.post("/encode", content=data)
    assert answer.status_code in (202, 413, 415, 422), f"{name}: {answer.text}"


@pytest.mark.parametrize("number", range(15))
def test_I13_mutants_are_taken_in_or_refused(client: httpx.Client, number: int) -> None:
    whole = _files()[number]
    _assert_taken_or_refused(client, whole, "whole")
    rng = np.random.default_rng(number)
    for mutant in range(40):
        _assert_taken_or_refused(client, _mutant(whole, rng), f"mutant {mutant}")


@pytest.mark.skipif("PILLOW_TEST_IMAGES" not in os.environ, reason="PILLOW_TEST_IMAGES names no folder")
def test_I13_pillows_own_files_are_taken_in_or_refused(client: httpx.Client) -> None:
    paths = [path for path in Path(os.environ["PILLOW_TEST_IMAGES"]).rglob("*") if path.is_file()]
    assert paths
    for path in paths:
        _assert_taken_or_refused(client, path.read_bytes(), path.name)
