"""Reading and writing the files that a user names."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from core.codec.alpha import with_hidden_filled
from core.codec.images import Picture, read_picture
from core.errors import ImageError, InvalidSettings


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # as if it had been opened in place
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def refuse_unwritable(path: Path) -> None:
    """Look, before the work, at where a file is to be written. Raises InvalidSettings."""
    if not path.parent.is_dir():
        raise InvalidSettings(f"{path}: there is no folder {path.parent}: make it first")
    if not os.access(path.parent, os.W_OK):
        raise InvalidSettings(f"{path}: the folder {path.parent} cannot be written")


def read_image(path: Path) -> tuple[Picture, int]:
    """The picture in an image file, and the file's bytes. Raises ImageError."""
    data = path.read_bytes()
    try:
        return with_hidden_filled(read_picture(data)), len(data)
    except ImageError as error:
        raise type(error)(f"{path}: {error}") from error
