"""The images in an upload: one image, or a ZIP of many, which is never unpacked to more than the limits allow."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from core.errors import DamagedImage, ImageError, ImageTooLarge, UnsupportedImage

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_CENTRAL_ENTRY = b"PK\x01\x02"

LONGEST_NAME = 255

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """images: in one upload. image_bytes: of each; in_all: of all together, unpacked."""

    images: int
    image_bytes: int
    in_all: int


@dataclass(frozen=True, slots=True)
class Upload:
    """name: as it was sent, without what a terminal or a page could choke on. data: the file, or why there is none."""

    name: str
    data: bytes | ImageError


def is_zip(start: bytes) -> bool:
    """Whether a file that starts like this is a ZIP."""
    return start.startswith(ZIP_MAGIC)


def plain_name(name: str | None) -> str:
    """For people only: no path is ever made of it."""
    return _CONTROL.sub("", name or "")[-LONGEST_NAME:] or "unnamed"


def images_in_zip(file: BinaryIO, limits: UploadLimits) -> Iterator[Upload]:
    """The archive's files, in its order, without folders and what operating systems add.

    Raises DamagedImage where it is no ZIP that can be read, ImageTooLarge where there are too many files or bytes.
    """
    _check_count(file, limits.images)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir() and not _is_noise(entry.filename)]
            if len(entries) > limits.images:
                raise _too_many(limits.images)
            left = limits.in_all
            for entry in entries:
                upload = _unpack(archive, entry, limits.image_bytes)
                left -= len(upload.data) if isinstance(upload.data, bytes) else limits.image_bytes
                if left < 0:
                    raise ImageTooLarge(f"the archive unpacks to more than {limits.in_all} bytes")
                yield upload
    except (zipfile.BadZipFile, struct.error, ValueError, OSError, EOFError, NotImplementedError) as error:
        raise DamagedImage(f"the ZIP file cannot be read: {error}") from error


def _check_count(file: BinaryIO, most: int) -> None:
    """Before anything is made of its directory, of which every entry takes memory. Raises ImageTooLarge."""
    file.seek(0)
    count, tail = 0, b""
    while chunk := file.read(1 << 20):
        count += (tail + chunk).count(_CENTRAL_ENTRY)
        tail = chunk[-len(_CENTRAL_ENTRY) + 1 :]
        if count > 4 * most + 16:  # folders are counted too, and pixels that happen to look like one
            raise _too_many(most)
    file.seek(0)


def _too_many(most: int) -> ImageTooLarge:
    return ImageTooLarge(f"too many images at once: send at most {most}, and the rest in another group")


def _is_noise(name: str) -> bool:
    parts = name.split("/")
    return parts[0] == "__MACOSX" or parts[-1].startswith(".") or parts[-1] in ("Thumbs.db", "desktop.ini")


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> Upload:
    """One file, of which no more is unpacked than is allowed, whatever its header says."""
    name = plain_name(entry.filename)
    if entry.flag_bits & 1:
        return Upload(name, UnsupportedImage("the file is encrypted in the archive"))
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return Upload(name, UnsupportedImage("the file is packed in a way other than deflate"))
    try:
        with archive.open(entry) as packed:
            data = packed.read(most + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError) as error:
        return Upload(name, DamagedImage(f"the file cannot be unpacked: {error}"))
    return Upload(name, data if len(data) <= most else ImageTooLarge(f"the file has more than {most} bytes"))
