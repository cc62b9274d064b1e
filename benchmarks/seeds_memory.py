"""How much memory the first decode of a picture takes, in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass

# The largest size so far is forgotten before the decode: importing and loading compiled code may have taken more.
_DECODE = """
import json, sys
def kib(name):
    with open("/proc/self/status") as file:
        return next((int(line.split()[1]) for line in file if line.startswith(name)), 0)
try:
    with open("/proc/self/clear_refs", "w"):
        pass
except OSError:
    print("null")
    sys.exit()
from regrow.core.codec.decode import decode
from regrow.core.codec.decode.warm_up import warm_up
warm_up()
with open(sys.argv[1], "rb") as file:
    data = file.read()
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = kib("VmRSS")
kept = decode(data)
print(json.dumps([before, kib("VmHWM")]))
"""

_KIB_PER_MIB = 1024


@dataclass(frozen=True, slots=True)
class DecodeMemory:
    """MiB of resident memory. more: at most, during the decode, than before it, with the picture; peak: in all."""

    more: float
    peak: float


def memory_of_decode(data: bytes) -> DecodeMemory | None:
    """Of a bundle, where the decoder is imported and its code loaded before. None but on Linux, which can tell."""
    with tempfile.NamedTemporaryFile(suffix=".gnca") as file:
        file.write(data)
        file.flush()
        command = [sys.executable, "-P", "-c", _DECODE, file.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"a fresh process failed: {done.stderr}")
    found = json.loads(done.stdout)
    if found is None:
        return None
    before, most = found
    return DecodeMemory((most - before) / _KIB_PER_MIB, most / _KIB_PER_MIB)
