"""Numba's disk cache, which must neither lie nor stop anybody.

What is in it can be made again, so whatever is wrong with it is a miss: files cut by a power cut, folders that cannot
be written, entries of another release.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import pickle
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from numba import njit
from numba.core import caching
from numba.core.serialize import dumps

log = logging.getLogger("regrow.codec")

Function = Callable[..., Any]

_CHECKSUM = hashlib.sha256().digest_size


def digest(*modules: ModuleType) -> str:
    """A digest of the modules' files.

    Numba compiles a cached function anew when its own file changes, but not when the files that it calls do. It does
    look at the variables that a function takes from around it, so an entry point takes this digest.
    """
    return hashlib.sha256(b"".join(Path(module.__file__ or "").read_bytes() for module in modules)).hexdigest()


def cached(**options: Any) -> Callable[[Function], Function]:
    """numba.njit with these options, kept on disk where some folder can be written."""

    def decorate(function: Function) -> Function:
        decorated: Function = njit(**options)(function)
        try:
            # As its enable_caching does, which knows one kind of cache.
            decorated._cache = _Cache(function)  # type: ignore[attr-defined]
        except (RuntimeError, OSError) as error:  # numba's way to say that no folder will do
            log.info("compiled code is not kept: %s", error)
        return decorated

    return decorate


class _UserWide(caching.UserWideCacheLocator):
    """Not for a user without a home: that would be a folder called `~` in the current one, whoever owns that."""

    @classmethod
    def from_function(cls, py_func: Function, py_file: str) -> Any:
        here = cls(py_func, py_file).get_cache_path()
        return super().from_function(py_func, py_file) if Path(here).is_absolute() else None


class _Temporary(caching.UserWideCacheLocator):
    """In the folder for temporary files, in one of this user's own: entries are pickled, so who writes them rules."""

    def __init__(self, py_func: Function, py_file: str) -> None:
        super().__init__(py_func, py_file)
        self._root = Path(tempfile.gettempdir()) / f"regrow-numba-{os.getuid()}"
        self._cache_path = str(self._root / self.get_suitable_cache_subpath(py_file))

    def ensure_cache_path(self) -> None:
        self._root.mkdir(mode=0o700, exist_ok=True)
        found = self._root.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise PermissionError(f"{self._root} is not this user's alone")
        super().ensure_cache_path()


class _Results(caching.CompileResultCacheImpl):
    _locator_classes = [  # noqa: RUF012 - numba's own declaration
        caching.UserProvidedCacheLocator,
        caching.InTreeCacheLocator,
        _UserWide,
        _Temporary,
    ]


class _Cache(caching.FunctionCache):
    """A function's entries. Reading and writing them fails nobody."""

    _impl_class = _Results

    def __init__(self, py_func: Function) -> None:
        super().__init__(py_func)
        files = self._cache_file
        self._cache_file = _CheckedFiles(self._cache_path, self._impl.filename_base, files._source_stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:
            log.warning("compiled code in %s is made anew: %s: %s", self.cache_path, type(error).__name__, error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            log.warning("compiled code cannot be kept in %s: %s", self.cache_path, error)


class _CheckedFiles(caching.IndexDataCacheFile):
    """Numba's two kinds of files, each behind its checksum: what unpickling damaged ones would do, nobody knows.

    An entry holds its key too, as two processes that write the index at a time may give one file to two entries.
    """

    def save(self, key: Any, data: Any) -> None:
        super().save(key, (key, data))

    def load(self, key: Any) -> Any:
        kept, data = super().load(key) or (None, None)
        return data if kept == key else None

    def _load_index(self) -> dict[Any, str]:
        version, stamp, entries = self._read(self._index_path) or (None, None, {})
        return entries if (version, stamp) == (self._version, self._source_stamp) else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, (self._version, self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        return self._read(self._data_path(name))

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _read(self, path: str) -> Any:
        """None where there is nothing that can be used; then no file either."""
        try:
            content = Path(path).read_bytes()
            data = content[_CHECKSUM:]
            if hashlib.sha256(data).digest() != content[:_CHECKSUM]:
                raise ValueError("it is damaged, or of an earlier release")
            return pickle.loads(data)  # noqa: S301 - the folder is this user's, as the code beside it
        except FileNotFoundError:
            return None
        except Exception as error:  # of unpickling: classes that have moved, and all else
            log.info("%s is made anew: %s", path, error)
            with contextlib.suppress(OSError):
                Path(path).unlink()
            return None

    def _write(self, path: str, value: Any) -> None:
        data = dumps(value)
        with self._open_for_write(path) as file:
            file.write(hashlib.sha256(data).digest() + data)
