"""The fuzzer of the profile `seeds` runs for a quarter of a minute in CI, for a few seconds elsewhere."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 15 if os.environ.get("CI") else 5


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None and not os.environ.get("CI"), reason="no atheris on this platform"
)
def test_the_fuzzer_finds_nothing(tmp_path: Path) -> None:
    (tmp_path / "found").mkdir()
    command = [sys.executable, "-m", "tests.format.fuzz_seeds", str(tmp_path / "found"), f"-max_total_time={SECONDS}"]
    # Through a shell, which forks: what this process starts has its peak memory counted as its own.
    through = ["/bin/sh", "-c", '"$@"; exit $?', "sh", *command, f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(through, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done " in done.stderr, done.stderr[-1000:]
