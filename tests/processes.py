"""Processes of ours, each ended by its own pid: forked from one that has done their imports, where that can be."""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from regrow.cli.child_processes import ChildProcess as Child

__all__ = ["Child", "run", "start", "start_anew"]

ROOT = Path(__file__).parents[1]


def start(module: str, *arguments: str, environment: dict[str, str], out: Path, err: Path | None = None) -> Child:
    """`python -m module`, whose output goes to the end of a file. err: a file for stderr, if not the same."""
    if sys.platform == "linux":
        out.touch()  # a caller may read it before the child has opened it
        return _nursery().start(module, arguments, environment, out, err or out)
    return start_anew(module, *arguments, environment=environment, out=out, err=err)


def start_anew(
    module: str, *arguments: str, environment: dict[str, str], out: Path, err: Path | None = None
) -> subprocess.Popen[bytes]:
    """The same in a Python of its own, as users start it."""
    with out.open("ab") as output, (err or out).open("ab") as errors:
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.Popen(command, env=environment, stdout=output, stderr=errors)


def run(module: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`python -m module` to its end."""
    words = [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        child = start(module, *words, environment=dict(os.environ), out=out, err=err)
        try:
            return subprocess.CompletedProcess([module, *words], child.wait(), out.read_text(), err.read_text())
        finally:
            child.kill()


class _Nursery:
    """The process that forks them (tests/nursery.py). Thread-safe."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-m", "tests.nursery", str(number)]
            self._process = subprocess.Popen(command, cwd=ROOT, pass_fds=[number], stdin=subprocess.DEVNULL)
        self._control, self._lines, self._lock = ours, ours.makefile("rw"), threading.Lock()
        atexit.register(self._close)

    def start(
        self, module: str, arguments: tuple[str, ...], environment: dict[str, str], out: Path, err: Path
    ) -> _Forked:
        files = {"out": str(out.resolve()), "err": str(err.resolve())}
        request = {"module": module, "arguments": arguments, "environment": environment, "folder": str(Path.cwd())}
        return _Forked(self, self.ask(request | files))

    def ask(self, request: dict[str, Any]) -> Any:
        with self._lock:
            self._lines.write(json.dumps(request) + "\n")
            self._lines.flush()
            return json.loads(self._lines.readline())

    def _close(self) -> None:
        self._lines.close()
        self._control.close()
        self._process.wait()


@functools.cache
def _nursery() -> _Nursery:
    return _Nursery()


class _Forked:
    def __init__(self, nursery: _Nursery, pid: int) -> None:
        self.pid, self.returncode = pid, None
        self._nursery = nursery
        self._ended = os.pidfd_open(pid)  # it stays a zombie, so that its number is its own, until it is polled

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._nursery.ask({"pid": self.pid})
            if self.returncode is not None:
                os.close(self._ended)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.poll() is None:
            select.select([self._ended], [], [], timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return status

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
