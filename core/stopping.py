"""Being asked to stop, by a signal."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks a process to stop: Ctrl-C, a supervisor, a terminal that is closed."""


def heeded(numbers: Iterable[signal.Signals] = STOPS) -> tuple[signal.Signals, ...]:
    """Those that this process does not ignore.

    What was ignored when it started stays so: SIGHUP under nohup, SIGINT in the background of a script.
    """
    return tuple(number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN)


def on_stop(stop: Callable[[], object]) -> None:
    """Have `stop` called when the process is asked to stop. From the main thread only."""
    for number in heeded():
        signal.signal(number, lambda *_: stop())
