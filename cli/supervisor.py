"""Keeps child processes running: one that ends is started again, later each time, until it is a crash loop."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

from regrow.cli.child_processes import StackError, end, start
from regrow.core.jobs.processes import ProcessRecord, ProcessState
from regrow.core.times import iso, now_ms


@dataclass(slots=True)
class Child:
    """A named process, or the wait for its next start.

    environment: all of its variables. messages: where it says what went wrong, as a user is told. restarts: since the
    first start. in_a_row: those of them since it last ran for long. last_exit: how it ended last. since: when its
    state last changed, ISO 8601. started, due: when it was started, and when it will be, by time.monotonic.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    messages: str = "its messages above"
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    in_a_row: int = 0
    last_exit: str | None = None
    since: str = ""
    started: float = 0.0
    due: float = 0.0

    def start(self) -> int:
        """Start it, again too. Returns its pid."""
        self.process = start(self.command, self.environment, tethered=True)
        self.started, self.since = time.monotonic(), iso(now_ms())
        return self.process.pid

    def has_ended(self) -> bool:
        """Whether a running process has ended since the last look; notes how."""
        if self.process is None or self.process.poll() is None:
            return False
        self.last_exit = _exit_words(self.process.returncode)
        return True

    def stop(self, seconds: float) -> None:
        """End it, by SIGKILL if it still runs after so many seconds."""
        if self.process is not None:
            end(self.process, seconds)

    def record(self) -> ProcessRecord:
        """How it fares, for the dashboard."""
        return ProcessRecord(
            name=self.name,
            pid=self.process.pid if self.process else None,
            state=ProcessState.RUNNING if self.process else ProcessState.RESTARTING,
            restarts=self.restarts,
            last_exit=self.last_exit,
            since=self.since,
        )


@dataclass(slots=True)
class Supervisor:
    """Call `tend` often, from the thread that calls `start`: the kernel ends children with the thread that made them.

    first_delay: seconds before the first restart, doubled for each further one in a row. patience: restarts in a row
    that are tried. settled_seconds: a process that ran this long has nothing to do with earlier ends.
    """

    first_delay: float = 0.5
    patience: int = 5
    settled_seconds: float = 30.0
    stop_seconds: float = 15.0
    _children: list[Child] = field(default_factory=list)

    def start(self, child: Child) -> int:
        """Start it and keep it. Returns its pid."""
        self._children.append(child)
        return child.start()

    def check(self) -> None:
        """While the children start up: raises StackError when one has ended."""
        for child in self._children:
            if child.has_ended():
                raise StackError(f"{child.name} has ended ({child.last_exit}): see {child.messages}")

    def tend(self) -> None:
        """Start again what has ended, when it is time to. Raises StackError for a crash loop."""
        for child in self._children:
            if child.has_ended():
                self._put_off(child)
            elif child.process is None and time.monotonic() >= child.due:
                child.start()

    def records(self) -> list[ProcessRecord]:
        """How each child fares, in the order of their starts."""
        return [child.record() for child in self._children]

    def stop(self) -> None:
        """Stop all, in the reverse order."""
        while self._children:
            self._children.pop().stop(self.stop_seconds)

    def _put_off(self, child: Child) -> None:
        if time.monotonic() - child.started >= self.settled_seconds:
            child.in_a_row = 0
        if child.in_a_row >= self.patience:
            times = f"{child.in_a_row + 1} times in a row"
            raise StackError(f"{child.name} has ended {times}, now with {child.last_exit}: see {child.messages}")
        delay = self.first_delay * 2**child.in_a_row
        child.in_a_row += 1
        child.restarts += 1
        child.process, child.since, child.due = None, iso(now_ms()), time.monotonic() + delay
        again = f"starting it again in {delay:g} s (restart {child.restarts})"
        print(f"regrow: {child.name} has ended ({child.last_exit}); {again}", file=sys.stderr, flush=True)


def _exit_words(status: int) -> str:
    """`status 1` or `signal 9 (SIGKILL)`."""
    if status >= 0:
        return f"status {status}"
    try:
        return f"signal {-status} ({signal.Signals(-status).name})"
    except ValueError:  # a real-time signal has no name
        return f"signal {-status}"
