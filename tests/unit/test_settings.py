"""What a bad setting ends in, whichever process has it: one line that names it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def _run(module: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REGROW_")} | settings
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("command", "settings", "named"),
    [
        (["api"], {"REGROW_PORT": "http"}, "REGROW_PORT: "),
        (["api"], {"REGROW_TRUSTED_PROXIES": "10.0.0.1"}, "trusted_proxies"),
        (["worker"], {"REGROW_LEASE": "PT2S"}, "three times REGROW_HEARTBEAT"),
        (["worker"], {"REGROW_ENGINE": "abacus"}, "choose one of cuda, numba, torch"),
        (["worker.sweep"], {"REGROW_RESULT_TTL": "-PT1S"}, "REGROW_RESULT_TTL: "),
        (["cli.main", "keys", "list"], {"REGROW_BLOB_STORE": "attic"}, "REGROW_BLOB_STORE: "),
        (["cli.main", "serve"], {"REGROW_MAX_SIDE": "99999"}, "REGROW_MAX_SIDE: "),
    ],
)
def test_a_bad_setting_is_one_line(command: list[str], settings: dict[str, str], named: str, tmp_path: Path) -> None:
    done = _run(*command, **settings)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith("regrow: ")
    assert named in done.stderr
