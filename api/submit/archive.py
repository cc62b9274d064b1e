"""The images in an upload: one image, or a ZIP of many, which is never unpacked to more than the limits allow."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from regrow.core.errors import DamagedImage, ImageError, ImageTooLarge, UnsupportedImage
from regrow.core.names import is_noise

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_CENTRAL_ENTRY = b"PK\x01\x02"
_CENTRAL = struct.Struct("<4s4xH18xHHH8xL")
"""Of an entry of the directory: its signature, flags, the lengths of its name, extra field and comment, and where its
own header is."""
_ZIP64_END = b"PK\x06\x06"
_ZIP64_BYTES = 76
"""Of ZIP64's own end record and its locator, which are between the directory and the end record."""
_UTF_8 = 1 << 11
"""The flag that says what a name is written in; without it, it is code page 437 (APPNOTE.TXT, appendix D)."""

LONGEST_NAME = 255
DIRECTORY_BYTES = 4 << 20
"""Bytes of a ZIP's directory, which lists its files."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """images: in one upload. image_bytes: of each; in_all: of all together, unpacked."""

    images: int
    image_bytes: int
    in_all: int


@dataclass(slots=True)
class Budget:
    """What may still be unpacked of one request. left_out: files so far that an operating system added."""

    left: int
    left_out: int = 0

    def spend(self, size: int) -> None:
        """Count so many bytes as unpacked. Raises ImageTooLarge where that is more than is allowed."""
        self.left -= size
        if self.left < 0:
            raise ImageTooLarge("the images unpack to more bytes than a request may have")


PIECE_BYTES = 64 * 1024
"""Bytes that are unpacked at a time."""


@dataclass(frozen=True, slots=True)
class Upload:
    """name: as it was sent, without what a terminal or a page could choke on. data: the file, or why there is none."""

    name: str
    data: bytes | ImageError


def is_zip(start: bytes) -> bool:
    """Whether a file that starts like this is a ZIP."""
    return start.startswith(ZIP_MAGIC)


def plain_name(name: str | None) -> str:
    """A file's name to show to people, without control characters. No path is ever made of it."""
    return _CONTROL.sub("", name or "")[-LONGEST_NAME:] or "unnamed"


def images_in_zip(file: IO[bytes], limits: UploadLimits, budget: Budget) -> Iterator[Upload]:
    """The archive's files, in its order, without folders and what operating systems add.

    Raises DamagedImage where it is no ZIP that can be read, ImageTooLarge where there are too many files or bytes.
    """
    try:
        _check_directory(file, limits.images)
        with zipfile.ZipFile(_Lenient(file)) as archive:  # which reads, seeks and tells
            files = [entry for entry in archive.infolist() if not entry.is_dir()]
            entries = [entry for entry in files if not is_noise(entry.filename)]
            budget.left_out += len(files) - len(entries)
            if len(entries) > limits.images:
                raise _too_many(limits.images)
            for entry in entries:
                yield _unpack(archive, entry, limits.image_bytes, budget)
    except (zipfile.BadZipFile, struct.error, ValueError, OSError, EOFError, NotImplementedError) as error:
        raise DamagedImage(f"the ZIP file cannot be read: {error}") from error


def _check_directory(file: IO[bytes], most: int) -> None:
    """Before anything is made of its directory, of which every entry takes memory. Raises ImageTooLarge."""
    directory, allowed = _directory_of(file), 4 * most + 16  # folders are entries too
    if directory is not None:
        if directory.entries > allowed or directory.size > DIRECTORY_BYTES:
            raise _too_many(most)
        file.seek(directory.start)
        if file.read(directory.size + 1).count(_CENTRAL_ENTRY) > allowed:  # whatever its record says
            raise _too_many(most)
    file.seek(0)


@dataclass(frozen=True, slots=True)
class _Directory:
    """start, size: in bytes. shift: what must be added to the places that it names. entries: that it says it has."""

    start: int
    size: int
    shift: int
    entries: int


def _directory_of(file: IO[bytes]) -> _Directory | None:
    """Where a ZIP's list of its files is. None where it has none, and so is no ZIP."""
    # Private, but it is what ZipFile itself goes by, and so cannot be told otherwise.
    end: Sequence[Any] | None = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    if end is None:
        return None
    start = max(0, end[9] - end[5] - (_ZIP64_BYTES if end[0] == _ZIP64_END else 0))
    return _Directory(start, end[5], start - end[6], end[3])


def _too_many(most: int) -> ImageTooLarge:
    return ImageTooLarge(f"too many images at once: send at most {most}, and the rest in another group")


class _Lenient:
    """A ZIP of which no name is a reason not to open it: where one claims to be UTF-8 and is not, it does not claim so.

    The file itself stays as it is.
    """

    def __init__(self, file: IO[bytes]) -> None:
        found = _directory_of(file) or _Directory(0, 0, 0, 0)
        file.seek(found.start)
        self._file, self._start, self._directory = file, found.start, bytearray(file.read(found.size))
        self._headers = set[int]()
        place = 0
        while place + _CENTRAL.size <= len(self._directory):
            signature, flags, name, extra, comment, header = _CENTRAL.unpack_from(self._directory, place)
            if signature != _CENTRAL_ENTRY:
                break
            if flags & _UTF_8 and not _is_utf_8(self._directory[place + _CENTRAL.size :][:name]):
                self._directory[place + 9] &= ~(_UTF_8 >> 8)
                self._headers.add(header + found.shift)
            place += _CENTRAL.size + name + extra + comment
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        at = self._file.tell()
        data = bytearray(self._file.read(size))
        if at in self._headers and len(data) > 7:  # the entry's own, which says the same once more
            data[7] &= ~(_UTF_8 >> 8)
        low, high = max(at, self._start), min(at + len(data), self._start + len(self._directory))
        if low < high:
            data[low - at : high - at] = self._directory[low - self._start : high - self._start]
        return bytes(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


def _is_utf_8(name: bytes | bytearray) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def name_of(entry: zipfile.ZipInfo) -> str:
    """An entry's name. macOS writes UTF-8 and does not say so, so it is taken for that wherever it can be."""
    if entry.flag_bits & _UTF_8:
        return entry.filename
    raw = entry.filename.encode("cp437")
    return raw.decode("utf-8") if _is_utf_8(raw) else entry.filename


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int, budget: Budget) -> Upload:
    """One file, of which no more is unpacked than is allowed, whatever its header says."""
    name = plain_name(name_of(entry))
    if entry.flag_bits & 1:
        return Upload(name, UnsupportedImage("the file is encrypted in the archive"))
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return Upload(name, UnsupportedImage("the file is packed in a way other than deflate"))
    data = bytearray()
    try:
        with archive.open(entry) as packed:
            while len(data) <= most and (piece := packed.read(min(PIECE_BYTES, most + 1 - len(data)))):
                data += piece
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OSError, NotImplementedError) as error:
        budget.spend(min(most, len(data) + PIECE_BYTES))  # the piece that is damaged was unpacked, too
        return Upload(name, DamagedImage(f"the file cannot be unpacked: {error}"))
    budget.spend(len(data))
    return Upload(name, bytes(data) if len(data) <= most else ImageTooLarge(f"the file has more than {most} bytes"))
