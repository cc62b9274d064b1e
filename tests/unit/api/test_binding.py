from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from regrow.api.__main__ import why_not
from regrow.api.loopback import is_loopback
from regrow.api.settings import ApiSettings
from regrow.core.access.keys import KeyStore
from regrow.core.stores.files import FilesBlobStore


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("example.org", False),
    ],
)
def test_loopback_is_recognised(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_the_api_refuses_to_be_reached_from_elsewhere() -> None:
    environment = {**os.environ, "REGROW_HOST": "0.0.0.0", "REGROW_BEHIND_PRIVATE_NETWORK": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "regrow.api"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "0.0.0.0 can be reached from other machines" in done.stderr
    assert "Traceback" not in done.stderr


def test_with_a_key_the_api_may_be_reached(tmp_path: Path) -> None:
    settings = ApiSettings(host="0.0.0.0", blob_folder=tmp_path)
    refusal = why_not(settings)
    assert refusal is not None
    assert "regrow keys create" in refusal
    KeyStore(FilesBlobStore(tmp_path)).create("alice")
    assert why_not(settings) is None
