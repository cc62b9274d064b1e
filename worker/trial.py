"""A worker tries itself out before it takes jobs: one that cannot work would fail them all."""

from __future__ import annotations

import logging
from collections.abc import Callable

from regrow.core.errors import RegrowError
from regrow.worker.tasks import UnitRunner

log = logging.getLogger("regrow.worker")

TRIES = 3
WAIT_SECONDS = 20.0
"""Between tries. All of them take longer than a supervisor counts as a crash loop, which would end the service."""

LONGEST_REASON = 300


class CannotWork(RegrowError):
    """This worker fails at what every job needs."""


def prove(runner: UnitRunner, try_out: Callable[[], None], wait_seconds: float = WAIT_SECONDS) -> None:
    """Return when `try_out` has succeeded, or the worker is to end; until then the runner says why it takes no jobs.

    Raises CannotWork after TRIES failures.
    """
    for tries_left in range(TRIES - 1, -1, -1):
        try:
            try_out()
        except Exception as error:
            if runner.stopping.is_set():
                return
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_REASON]
            runner.refused = f"this worker takes no jobs, because a tiny fit fails on it: {reason}"
            if not tries_left:
                raise CannotWork(runner.refused) from error
            log.error("%s; trying again in %g s", runner.refused, wait_seconds)
            runner.stopping.wait(wait_seconds)
        else:
            runner.refused = None
            return
