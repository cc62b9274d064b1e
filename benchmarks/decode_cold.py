"""What a fresh process takes before it decodes, or before it serves."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

_DECODE = """
import json, sys, time
start = time.perf_counter()
from regrow.core.codec.decode import decode
imported = time.perf_counter()
with open(sys.argv[1], "rb") as file:
    decode(file.read())
print(json.dumps([imported - start, time.perf_counter() - imported]))
"""

# The API is deployed without torch, so a process that has it must not be allowed to use it.
_API = """
import json, sys, time
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "triton"}:
            raise ImportError(f"{name} is not installed here")
sys.meta_path.insert(0, Refuse())
start = time.perf_counter()
import regrow.api.app
print(json.dumps([time.perf_counter() - start]))
"""


@dataclass(frozen=True, slots=True)
class ColdDecode:
    """Seconds: to import the decoder, to decode for the first time, and of the whole process."""

    imports: float
    decode: float
    process: float


def cold_decode(data: bytes, trials: int) -> ColdDecode:
    """The fastest of several fresh processes that decode this bundle; numba's cache on disk is filled before."""
    with tempfile.NamedTemporaryFile(suffix=".gnca") as file:
        file.write(data)
        file.flush()
        _fresh(_DECODE, file.name)
        runs = [_fresh(_DECODE, file.name) for _ in range(trials)]
    seconds, (imports, decode) = min(runs)
    return ColdDecode(imports, decode, seconds)


def api_import_seconds(trials: int) -> float:
    """To import the API where torch is not installed; the fastest of several fresh processes."""
    _fresh(_API)
    return min(_fresh(_API)[1][0] for _ in range(trials))


def _fresh(code: str, *arguments: str) -> tuple[float, list[float]]:
    """Seconds of a whole process, and what it prints."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-P", "-c", code, *arguments], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"a fresh process failed: {done.stderr}")
    return seconds, json.loads(done.stdout)
