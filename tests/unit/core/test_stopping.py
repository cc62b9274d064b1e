"""Which signals stop a process."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import signal, sys
from regrow.core.stopping import heeded, on_stop
on_stop(lambda: sys.exit(7))
print([each.name for each in heeded()], flush=True)
signal.raise_signal(signal.SIGHUP)
signal.raise_signal(signal.SIGINT)
print("still here", flush=True)
signal.raise_signal(signal.SIGTERM)
"""


def _run(before: str) -> tuple[int, list[str]]:
    shell = f'{before} exec "$0" -c "$1"'
    done = subprocess.run(["/bin/sh", "-c", shell, sys.executable, CODE], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_A5_what_was_ignored_at_the_start_stays_ignored() -> None:
    assert _run("trap '' HUP INT;") == (7, ["['SIGTERM']", "still here"])


def test_A5_else_each_of_them_stops() -> None:
    assert _run("") == (7, ["['SIGINT', 'SIGTERM', 'SIGHUP']"])
