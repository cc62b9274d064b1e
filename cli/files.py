"""Reading and writing the files that a user names.

One rule for all commands: nothing is overwritten without `--force`, and what cannot be written is said before the work.
`-` is standard output; a device or pipe is written into; a link is followed.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Annotated, TextIO

import typer

from core.codec.alpha import with_hidden_filled
from core.codec.images import Picture, read_picture
from core.errors import ImageError, InvalidSettings

STDOUT = Path("-")
_DESCRIPTORS = ("/dev/fd/", "/dev/stdout", "/dev/stderr", "/proc/self/fd/")

Force = Annotated[bool, typer.Option("--force", help="Overwrite files that are there already")]


def is_stream(path: Path) -> bool:
    """Whether what is written there goes somewhere else than into a file: standard output, a device, a pipe.

    False for what cannot be a path: unlike pathlib's, these functions do not raise for names that are too long.
    """
    if path == STDOUT or str(path).startswith(_DESCRIPTORS):
        return True
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)  # noqa: PTH110, PTH112, PTH113


def words_for(path: Path | None) -> TextIO:
    """Where a command talks that writes to this path: not into what it writes."""
    return sys.stderr if path == STDOUT else sys.stdout


def refuse_unwritable(path: Path, *, force: bool) -> None:
    """Look, before the work, at where a file is to be written. Raises InvalidSettings."""
    if is_stream(path):
        if path != STDOUT and not os.access(path, os.W_OK):
            raise InvalidSettings(f"{path} cannot be written")
        return
    target = _followed(path)
    folder, longest = target.parent, 255
    with contextlib.suppress(OSError, ValueError):
        longest = os.pathconf(folder, "PC_NAME_MAX")
    if len(os.fsencode(target.name)) > longest:
        raise InvalidSettings(f"{path}: the name has more than {longest} bytes: say with -o where it goes")
    if target.is_dir():
        raise InvalidSettings(f"{path} is a folder")
    if not folder.is_dir():
        raise InvalidSettings(f"{path}: there is no folder {folder}: make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidSettings(f"{path}: the folder {folder} cannot be written")
    if target.exists() and not force:
        raise InvalidSettings(f"{path} is there already: --force overwrites it, -o names another")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all. One that is there keeps its mode and, as far as may be, its
    owner."""
    if path == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    elif is_stream(path):
        path.write_bytes(data)
    else:
        _replace(_followed(path), data)


def _replace(target: Path, data: bytes) -> None:
    # Its own short name: the target's may be as long as names can be.
    handle, temporary = tempfile.mkstemp(prefix=".regrow-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            _dress(file.fileno(), target)
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _dress(handle: int, target: Path) -> None:
    """Give a new file the mode of the one that it replaces, or else that of a file opened in place."""
    try:
        old = target.stat()
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(handle, 0o666 & ~umask)
        return
    with contextlib.suppress(PermissionError):
        os.fchown(handle, old.st_uid, old.st_gid)
    os.fchmod(handle, stat.S_IMODE(old.st_mode) & 0o777)


def _followed(path: Path) -> Path:
    """The file itself where the path is a link to it, there or not."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114


def read_image(path: Path) -> tuple[Picture, int]:
    """The picture in an image file, and the file's bytes. Raises ImageError."""
    data = path.read_bytes()
    try:
        return with_hidden_filled(read_picture(data)), len(data)
    except ImageError as error:
        raise type(error)(f"{path}: {error}") from error
