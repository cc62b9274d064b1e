"""Numba's disk cache: whatever is wrong with it, functions run, and are kept where they can be."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import pytest

import regrow.core
from regrow.core.codec.simd.cache import cached

SOURCE = """
from regrow.core.codec.simd.cache import cached

@cached(nogil=True, error_model="numpy")
def double(x):
    return 2 * x
"""
CORE = Path(regrow.core.__path__[0])


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file with a cached function; where it is kept is for the test to say."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    path = tmp_path / "code" / "doubling.py"
    path.parent.mkdir()
    path.write_text(SOURCE)
    yield path
    sys.modules.pop("doubling", None)


def _fresh(path: Path) -> Any:
    """The function as a new process would have it."""
    spec = importlib.util.spec_from_file_location("doubling", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["doubling"] = module
    spec.loader.exec_module(module)
    return module.double


def _hits(path: Path) -> int:
    """How often the disk cache served one call, which must be right."""
    function = _fresh(path)
    assert function(21) == 42
    return sum(function.stats.cache_hits.values())


def _no_folder_beside(path: Path) -> None:
    """A file in the place of the folder: not even root can write there."""
    (path.parent / "__pycache__").write_text("")


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "one byte": lambda data: data[:1],
    "in the checksum": lambda data: data[:31],
    "after the checksum": lambda data: data[:32],
    "in the first field": lambda data: data[:40],
    "half": lambda data: data[: len(data) // 2],
    "without its last byte": lambda data: data[:-1],
    "zeros": lambda data: bytes(len(data)),
    "its second half zeros": lambda data: data[: len(data) // 2].ljust(len(data), b"\0"),
    "another's": lambda data: b"garbage, not a pickle",
    "a pickle of numba's own": lambda data: data[32:],
}


@pytest.mark.parametrize("kind", [".nbi", ".nbc"])
def test_A1_a_damaged_file_is_made_anew(kind: str, module: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without a word on a terminal: so are all files of an earlier release."""
    assert _hits(module) == 0
    assert _hits(module) == 1
    (path,) = (module.parent / "__pycache__").glob(f"*{kind}")
    whole = path.read_bytes()
    for name, damage in DAMAGES.items():
        path.write_bytes(damage(whole))
        assert _hits(module) == 0, name
        assert _hits(module) == 1, name
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_A1_an_entry_of_another_key_is_not_used(module: Path) -> None:
    """As when two processes write the index at a time, which may give one file to two entries."""
    function = _fresh(module)
    function(1)
    function(1.0)
    ints, floats = sorted((module.parent / "__pycache__").glob("*.nbc"))
    shutil.copy(ints, floats)
    function = _fresh(module)
    assert (function(1.5), sum(function.stats.cache_hits.values())) == (3.0, 0)


def test_A1_a_cache_that_cannot_be_written_any_more_fails_nobody(module: Path) -> None:
    function = _fresh(module)
    shutil.rmtree(module.parent / "__pycache__", ignore_errors=True)
    _no_folder_beside(module)
    assert function(21) == 42


def test_A1_nothing_goes_around_this_cache() -> None:
    assert not [path for path in CORE.rglob("*.py") if "cache=True" in path.read_text()]


def test_A2_without_other_folders_the_temporary_one_is_used(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_folder_beside(module)
    monkeypatch.setenv("HOME", "/dev/null/nobody")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert [_hits(module), _hits(module)] == [0, 1]
    (folder,) = tmp_path.glob("regrow-numba-*")
    assert folder.stat().st_mode & 0o777 == 0o700
    # Others may have put something there: entries are pickles, so it is not read any more.
    folder.chmod(0o777)
    assert [_hits(module), _hits(module)] == [0, 0]


def test_A2_a_user_without_a_home_leaves_nothing_in_the_current_folder(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_folder_beside(module)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", "nowhere")  # relative, as `~` is where nobody knows the user
    monkeypatch.setattr(tempfile, "tempdir", "/dev/null")
    assert [_hits(module), _hits(module)] == [0, 0]
    assert not list(here.iterdir())


def test_A2_the_engines_load_where_no_folder_can_be_written(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(CORE, copy / "regrow" / "core", ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "regrow" / "__init__.py").touch()
    for folder in ("decode/growers", "fit/engines/cpu", "fit/optimizers", "fit"):
        _no_folder_beside(copy / "regrow" / "core" / "codec" / folder / "any.py")
    modules = ("fit.engines.cpu.engine", "decode.growers.compiled", "fit.optimizers.numba_soap", "fit.nearest_plane")
    code = "import regrow.core; print(regrow.core.__path__[0])" + "".join(
        f"; import regrow.core.codec.{name}" for name in modules
    )
    environment = {**os.environ, "PYTHONPATH": str(copy), "HOME": "/dev/null/nobody", "TMPDIR": "/dev/null"}
    for name in ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
        environment.pop(name, None)
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, str(copy / "regrow" / "core")), done.stderr


def test_the_options_of_the_compiler_are_passed_on() -> None:
    assert cached(nogil=True)(lambda x: x).targetoptions["nogil"] is True  # type: ignore[attr-defined]
