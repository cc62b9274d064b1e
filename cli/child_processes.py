"""Child processes: how one is started, waited for, and ended by its own pid."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Protocol

from regrow.core.errors import RegrowError, ServiceUnavailable
from regrow.core.jobs.store import JobStore
from regrow.core.jobs.workers import WorkerRegistry

POLL_SECONDS = 0.05
STOP_SECONDS = 20.0
START_SECONDS = 120.0
"""Of workers above all, which may have to compile first."""


class ChildProcess(Protocol):
    """What is used of a subprocess.Popen: that of a child which was started in another way will do."""

    pid: int

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status when it has ended. Raises subprocess.TimeoutExpired."""

    def send_signal(self, sig: int) -> None:
        """Unless it has ended."""

    def terminate(self) -> None:
        """SIGTERM."""

    def kill(self) -> None:
        """SIGKILL."""


class StackError(RegrowError):
    """Part of a stack of processes did not start, or keeps ending."""


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module: never from the current folder, whose files are anybody's."""
    return [sys.executable, "-P", "-m", module, *arguments]


def start(
    command: list[str], environment: Mapping[str, str], log: Path | None = None, *, tethered: bool = False
) -> subprocess.Popen[bytes]:
    """Start a child. environment: all of its variables. log: the file that its output is appended to; None for ours.

    tethered: the kernel kills it when the thread that started it ends, however that comes; and Ctrl-C does not reach
    it, so that whoever started it can stop its children in order.
    """
    if tethered:
        command = [*python("regrow.cli.die_with_parent"), str(os.getpid()), *command]
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("ab")) if log is not None else None
        return subprocess.Popen(
            command,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=tethered,
        )


def end(child: ChildProcess, seconds: float = STOP_SECONDS) -> None:
    """End it by SIGTERM, a paused one too, and by SIGKILL if it has not ended after so many seconds."""
    if child.poll() is None:
        child.send_signal(signal.SIGCONT)
        child.terminate()
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def wait_until(
    condition: Callable[[], bool], what: str, seconds: float = 60.0, poll_seconds: float = POLL_SECONDS
) -> None:
    """Wait for something that happens in another process. Raises TimeoutError with `what`, a noun."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {seconds:g} seconds")
        time.sleep(poll_seconds)


def wait_for_start(child: ChildProcess, ready: Callable[[], bool], name: str, log: Path) -> None:
    """Wait until the child is ready. Raises StackError with its log when it ends instead, and TimeoutError."""

    def is_ready() -> bool:
        status = child.poll()
        if status is not None:
            raise StackError(f"{name} ended with status {status}:\n{log.read_text()}")
        return ready()

    wait_until(is_ready, f"the start of {name}", START_SECONDS)


def free_ports(count: int) -> list[int]:
    """TCP ports of 127.0.0.1, no two the same, that nobody listens at now."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def broker_answers(store: JobStore) -> bool:
    """Whether Valkey has started and takes commands."""
    with contextlib.suppress(ServiceUnavailable):
        store.check()
        return True
    return False


def api_answers(port: int, path: str) -> bool:
    """Whether a GET of the path at 127.0.0.1 is answered with 200."""
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=1)) as connection:
        with contextlib.suppress(OSError, HTTPException):
            connection.request("GET", path)
            return connection.getresponse().status == 200
        return False


def workers_registered(registry: WorkerRegistry, pids: Iterable[int]) -> bool:
    """Whether all of these worker processes are there, though they may still compile. By pid: Valkey may still know
    workers that were killed."""
    return set(pids) <= {record.pid for record in registry.alive()}
