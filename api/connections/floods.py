"""Log lines that anybody can cause, as often as they like: one now and then says it, with how many there were."""

from __future__ import annotations

import logging
import time

EVERY_SECONDS = 10.0

OFTEN = {
    "socket.accept() out of system resource": "as many files are open as may be (ulimit -n): nobody else can connect",
    "Exceeded concurrency limit.": "as many connections are open as may be: more are answered 503",
    "Invalid HTTP request received.": "a request was no HTTP",
}
"""How a message of uvicorn or asyncio begins, and the line that is logged in its place."""


class Seldom(logging.Filter):
    """A logging filter: lets one of these messages through every few seconds; without tracebacks, as it is no bug."""

    def __init__(self) -> None:
        super().__init__()
        self._next = dict[str, float]()
        self._held = dict[str, int]()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        start = next((start for start in OFTEN if text.startswith(start)), None)
        if start is None:
            return True
        if time.monotonic() < self._next.get(start, 0.0):
            self._held[start] += 1
            return False
        held = self._held.get(start, 0)
        self._next[start], self._held[start] = time.monotonic() + EVERY_SECONDS, 0
        record.msg, record.args, record.exc_info = OFTEN[start], (), None
        if held:
            record.msg += f" ({held:,} times more since this was said last)"
        return True


def hold_back_floods() -> None:
    """Install the filter on the loggers of uvicorn and asyncio. Once per process, after logging is set up."""
    seldom = Seldom()
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addFilter(seldom)
