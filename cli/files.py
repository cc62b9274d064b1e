"""Reading and writing the files that a user names.

One rule for all commands: nothing is overwritten without `--force`, and what cannot be written is said before the work.
`-` is standard output, or input; a device or pipe is written into; a link is followed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import sys
import tempfile
from pathlib import Path
from typing import Annotated, TextIO

import typer

from regrow.core.codec.alpha import with_hidden_filled
from regrow.core.codec.images import Picture, read_picture
from regrow.core.errors import ImageError, InvalidSettings

STDOUT = Path("-")
STDIN = STDOUT
"""Both are `-`: which of them is meant depends on whether a file is read or written."""

_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_NUMBERED = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})")
_IN_PLACE = (errno.EACCES, errno.EPERM, errno.EBUSY)
"""Errors of a rename that mean that a file can only be written in place; EBUSY: that it is a mount point."""

Force = Annotated[bool, typer.Option("--force", help="Overwrite files that are there already")]


def descriptor_of(path: Path) -> int | None:
    """The open descriptor that a path names. To open it again would begin anew a file that a shell has opened."""
    text = str(path)
    found = _NUMBERED.fullmatch(text)
    return int(found[1]) if found else _STANDARD.get(text)


def is_stream(path: Path) -> bool:
    """Whether what is written there goes somewhere else than into a file: standard output, a device, a pipe.

    False for what cannot be a path: unlike pathlib's, these functions do not raise for names that are too long.
    """
    if path == STDOUT or descriptor_of(path) is not None:
        return True
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)  # noqa: PTH110, PTH112, PTH113


def words_for(path: Path | None) -> TextIO:
    """The stream for a command's messages: stderr where it writes its result to stdout, else stdout."""
    if path is None:
        return sys.stdout
    if path == STDOUT or descriptor_of(path) == 1:
        return sys.stderr
    with contextlib.suppress(OSError, ValueError):
        if os.path.samestat(path.stat(), os.fstat(1)):
            return sys.stderr
    return sys.stdout


def refuse_unwritable(path: Path, *, force: bool) -> None:
    """Look, before the work, at where a file is to be written. Raises InvalidSettings."""
    if is_stream(path):
        if not _takes_writing(path):
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
    if target.exists() and not force:
        raise _is_there(path)
    if not os.access(folder, os.W_OK | os.X_OK) and not os.access(target, os.W_OK):
        raise InvalidSettings(f"{path}: the folder {folder} cannot be written")


def write_whole(path: Path, data: bytes, *, force: bool) -> None:
    """Write a file so that it is there whole or not at all. One that is there keeps its mode and, as far as may be, its
    owner.

    Raises InvalidSettings where one is there, perhaps since `refuse_unwritable` looked, unless `force`.
    """
    if is_stream(path):
        _pour(path, data)
        return
    target = _followed(path)
    try:
        _replace(target, data, force=force)
    except FileExistsError as error:
        raise _is_there(path) from error
    except OSError as error:
        if not force or error.errno not in _IN_PLACE or not target.is_file():
            raise
        target.write_bytes(data)  # better than not at all: it is the file that may be written, and not its folder


def _takes_writing(stream: Path) -> bool:
    if stream == STDOUT:
        return True
    if (number := descriptor_of(stream)) is None:
        return os.access(stream, os.W_OK)
    try:
        return fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    except OSError:  # it is not open
        return False


def _pour(stream: Path, data: bytes) -> None:
    sys.stdout.flush()
    if stream == STDOUT:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    number = descriptor_of(stream)
    with open(os.open(stream, os.O_WRONLY) if number is None else os.dup(number), "wb") as file:  # noqa: PTH123
        file.write(data)


def _is_there(path: Path) -> InvalidSettings:
    return InvalidSettings(f"{path} is there already: --force overwrites it, -o names another")


def _replace(target: Path, data: bytes, *, force: bool) -> None:
    # Its own short name: the target's may be as long as names can be.
    handle, name = tempfile.mkstemp(prefix=".regrow-", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            _dress(file.fileno(), target)
        if not force:
            _claim(temporary, target)
        else:
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _claim(temporary: Path, target: Path) -> None:
    """Give a file its name. Raises FileExistsError where another has it: a rename would not."""
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # a file system that has no links
        target.touch(exist_ok=False)
        temporary.replace(target)


def _dress(handle: int, target: Path) -> None:
    """Give a new file the mode of the one that it replaces, or else that of a file opened in place."""
    try:
        old = target.stat()
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(handle, 0o666 & ~umask)
        return
    mode = stat.S_IMODE(old.st_mode) & 0o777
    try:
        os.fchown(handle, old.st_uid, old.st_gid)
    except PermissionError:
        try:
            os.fchown(handle, -1, old.st_gid)
        except PermissionError:
            mode &= ~stat.S_IRWXG  # they were for that group, and not for mine
    os.fchmod(handle, mode)


def _followed(path: Path) -> Path:
    """The file itself where the path is a link to it, there or not."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114


def read_image(path: Path) -> tuple[Picture, int]:
    """The picture in an image file, and the file's bytes. Raises ImageError."""
    return _picture_in(path.read_bytes(), path)


class Images:
    """Image files that are read more than once: what a pipe, or standard input as `-`, gave is kept."""

    def __init__(self) -> None:
        self._kept: dict[Path, bytes] = {}

    def read(self, path: Path) -> tuple[Picture, int]:
        """The picture in an image file, and the file's bytes. Raises ImageError."""
        data = self._kept.get(path)
        if data is None:
            data = sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
            if path == STDIN or not path.is_file():
                self._kept[path] = data
        return _picture_in(data, path)


def _picture_in(data: bytes, path: Path) -> tuple[Picture, int]:
    try:
        return with_hidden_filled(read_picture(data)), len(data)
    except ImageError as error:
        raise type(error)(f"{path}: {error}") from error
