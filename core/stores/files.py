"""Blobs as files in a local folder."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from regrow.core.errors import BlobNotFound, ServiceUnavailable, StorageFull
from regrow.core.stores.fitness import Fitness, delete_old_probes

_TEMPORARY = ".tmp-"
_OLD_SECONDS = 3600
"""Age at which a temporary file is one that a killed writer left."""

_MAKE_TRIES = 5

_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_LACKS = (
    "the blob folder's file system has no hard links, without which work is done twice: choose a folder on one that "
    "has them, such as ext4, XFS, APFS or NFS"
)


class FilesBlobStore:
    """Files under `root`. Objects are written aside, flushed to disk, then moved or linked into place."""

    def __init__(self, root: Path) -> None:
        self._root, self._fitness = root.resolve(), Fitness(_LACKS)

    def put(self, key: str, data: bytes) -> None:
        path = self._path(key)
        with self._written_aside(path, data) as temporary:
            Path(temporary).replace(path)
            _flush_names(path.parent)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        path = self._path(key)
        with self._written_aside(path, data) as temporary:
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno in _NO_LINKS:
                    raise self._fitness.unfit() from error
                raise
            _flush_names(path.parent)
            return True

    def get(self, key: str) -> bytes:
        path = self._path(key)
        with _readable():
            try:
                return path.read_bytes()
            except (FileNotFoundError, NotADirectoryError) as error:
                raise BlobNotFound(f"there is no object {key}") from error

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def folders(self, prefix: str) -> list[str]:
        folder, _, start = prefix.rpartition("/")
        with _readable():
            try:
                found = [path.name for path in (self._root / folder).iterdir() if path.is_dir()]
            except FileNotFoundError:
                return []
        return sorted(name.removeprefix(start) for name in found if name.startswith(start))

    def list(self, prefix: str) -> list[str]:
        return sorted(key for key in self._keys(prefix) if not key.rpartition("/")[2].startswith(_TEMPORARY))

    def delete(self, key: str) -> None:
        path = self._path(key)
        with _writable():
            path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder.parent == self._root or folder == self._root:  # the store's own, which always have new writers
                break
            try:
                folder.rmdir()
            except OSError:
                break  # not empty, or another writer is in it

    def tidy(self) -> None:
        oldest = time.time() - _OLD_SECONDS
        for key in self._keys(""):
            path = self._root / key
            with _writable(), contextlib.suppress(FileNotFoundError):
                if path.name.startswith(_TEMPORARY) and path.stat().st_mtime < oldest:
                    path.unlink()
        delete_old_probes(self)

    def _keys(self, prefix: str) -> Iterator[str]:
        """Temporary files too. Folders that vanish meanwhile are empty."""
        start = self._root / prefix.rpartition("/")[0]
        for folder, _, names in os.walk(start, onerror=_refuse_unless_gone):
            for name in names:
                key = (Path(folder) / name).relative_to(self._root).as_posix()
                if key.startswith(prefix):
                    yield key

    def check(self) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ServiceUnavailable(f"the blob folder cannot be made: {error.strerror}") from error
        if not os.access(self._root, os.R_OK | os.W_OK):
            raise ServiceUnavailable("the blob folder cannot be read and written")
        self.check_fit()

    def check_fit(self) -> None:
        self._fitness.check(self)

    def _path(self, key: str) -> Path:
        path = (self._root / key).resolve()
        if not path.is_relative_to(self._root) or path == self._root:
            raise ValueError(f"not a key: {key!r}")
        return path

    @contextmanager
    def _written_aside(self, path: Path, data: bytes) -> Iterator[str]:
        """A temporary file with the data, on disk for sure; gone afterwards unless it was moved."""
        temporary = None
        try:
            with _writable():
                handle, temporary = _make_temporary(path.parent)
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                yield temporary
        finally:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)


def _make_temporary(folder: Path) -> tuple[int, str]:
    """An open file in the folder, which is made; again, where somebody removes it meanwhile as it is empty."""
    for _ in range(_MAKE_TRIES):
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            folder.mkdir(parents=True, exist_ok=True)
            return tempfile.mkstemp(prefix=_TEMPORARY, dir=folder)
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.mkstemp(prefix=_TEMPORARY, dir=folder)


def _flush_names(folder: Path) -> None:
    """Have the names in a folder on disk for sure, and its own name, as it may be new."""
    for each in (folder, folder.parent):
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile, with what is in it
            handle = os.open(each, os.O_RDONLY)
            try:
                os.fsync(handle)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that has no such thing
                    raise
            finally:
                os.close(handle)


def _refuse_unless_gone(error: OSError) -> None:
    """A folder that was removed is empty; one that cannot be read is not. Raises ServiceUnavailable."""
    if not isinstance(error, FileNotFoundError):
        raise ServiceUnavailable(f"the blob store's folder cannot be read: {error.strerror}") from error


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServiceUnavailable(f"the blob store's folder cannot be read: {error.strerror}") from error


@contextmanager
def _writable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        kind = StorageFull if full else ServiceUnavailable
        raise kind(f"the blob store's folder cannot be written: {error.strerror}") from error
