"""The wheel as users install it: one name, all of its files, and a command that runs beside modules of any name."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from regrow.core.codec.format.bundle import read_bundle
from tests.pictures import smooth_file

ROOT = Path(__file__).parents[2]
NOT_PART_OF_IT = shutil.ignore_patterns(
    ".*", "build", "dist", "*.egg-info", "__pycache__", "regrow-data", "demo-output"
)


def _succeeds(*command: object, **options: object) -> str:
    """The command's standard output."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    output: str = done.stdout
    return output


def _files_of(package: Path) -> set[str]:
    """All files of a package whose folders may be links, by their paths from beside it."""
    found = set()
    for folder, _, names in os.walk(package, followlinks=True):
        if "__pycache__" not in folder:
            found |= {str(Path(folder, name).relative_to(package.parent)) for name in names}
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, with the setuptools that is here: neither old build folders nor the network have a part."""
    source, folder = tmp_path_factory.mktemp("source") / "regrow", tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, source, symlinks=True, ignore=NOT_PART_OF_IT)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", folder]
    _succeeds(sys.executable, "-m", "pip", "wheel", source, *options)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the wheel in it."""
    folder = tmp_path_factory.mktemp("installed")
    options = ["--no-deps", "--no-index", "--no-compile", "--quiet", "--target", folder]
    _succeeds(sys.executable, "-m", "pip", "install", wheel, *options)
    _take_over_compiled_code(folder / "regrow")
    return folder


def _take_over_compiled_code(package: Path) -> None:
    """Compiling takes a minute and more. Numba keeps its work beside a source file, for a file of that age and size."""
    for file in package.rglob("*.py"):
        original = ROOT / file.relative_to(package.parent)
        shutil.copystat(original, file)
        for kept in (original.parent / "__pycache__").glob(f"{original.stem}.*.nb[ic]"):
            (file.parent / "__pycache__").mkdir(exist_ok=True)
            shutil.copy2(kept, file.parent / "__pycache__")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's folder, whose own modules have the names of our folders."""
    for name in ("core", "api", "cli"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise AssertionError('the user\\'s own {name} was imported')")
    for name in ("worker", "sweeper", "benchmarks"):
        (tmp_path / f"{name}.py").write_text(f"raise AssertionError('the user\\'s own {name} was imported')")
    return tmp_path


@pytest.fixture
def environment(installed: Path) -> dict[str, str]:
    """That of a process that finds the wheel before the checkout, which is installed for the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REGROW_")}
    return kept | {"PYTHONPATH": str(installed)}


def test_the_wheel_brings_one_name_and_every_file(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert {name.split("/")[0] for name in names} == {"regrow"}
    assert "regrow/py.typed" in names
    assert names == _files_of(ROOT / "regrow")


def test_what_is_imported_is_the_wheel_and_nothing_heavy(
    installed: Path, project: Path, environment: dict[str, str]
) -> None:
    code = "import sys, regrow; print(regrow.__file__, *({'torch', 'numba', 'celery'} & sys.modules.keys()))"
    said = _succeeds(sys.executable, "-c", code, cwd=project, env=environment).split()
    assert said == [str(installed / "regrow" / "__init__.py")]


def test_a_picture_is_encoded(project: Path, environment: dict[str, str]) -> None:
    (project / "a.png").write_bytes(smooth_file(8, 8))
    command = [sys.executable, "-m", "regrow.cli.main", "encode", "a.png", "--preset", "micro", "--effort", "draft"]
    assert _succeeds(*command, cwd=project, env=environment).startswith("a.gnca: ")
    assert read_bundle((project / "a.gnca").read_bytes()).header.width == 8


@contextlib.contextmanager
def _serving(command: list[str], **options: object) -> Iterator[str]:
    """Its URL, as it says it; ended by Ctrl-C."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)  # type: ignore[call-overload]
    said = ""
    try:
        for line in child.stdout:
            said += line
            if "Regrow serves at " in line:
                yield line.split("Regrow serves at ")[1].split()[0]
                break
    finally:
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate(timeout=60)
    assert child.returncode == 0, said + output
    assert "Regrow serves at" in said


def test_serve_takes_a_picture(installed: Path, project: Path, environment: dict[str, str]) -> None:
    command = [str(installed / "bin" / "regrow"), "serve", "--port", "0", "--data", "data"]
    with _serving(command, cwd=project, env=environment) as url:
        assert httpx.get(f"{url}/livez", timeout=30).status_code == 200
        answer = httpx.post(f"{url}/encode", params={"effort": "draft"}, content=smooth_file(8, 8), timeout=30)
        assert answer.status_code == 202, answer.text
        assert httpx.get(url + answer.headers["location"], timeout=30).status_code == 200
