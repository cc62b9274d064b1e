"""The API runs where what trains is not installed."""

from __future__ import annotations

import subprocess
import sys

BLOCK = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "triton"}:
            raise ImportError(f"{name} is not installed here")
sys.meta_path.insert(0, Refuse())
"""


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BLOCK + code], capture_output=True, text=True, check=False)


def test_the_block_blocks() -> None:
    assert _run("import torch").returncode == 1


def test_the_api_imports_and_decodes_without_torch() -> None:
    code = """
import regrow.api.app
assert "numba" not in sys.modules, "it is imported in the background, so that the process is up at once"
regrow.api.app.create_app()
from regrow.core.codec.decode import decode
from tests.bundles import random_bundle
assert decode(random_bundle(9, 9)).picture.width == 9
"""
    done = _run(code)
    assert done.returncode == 0, done.stderr
