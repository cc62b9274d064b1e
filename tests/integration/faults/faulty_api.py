"""`python -m tests.integration.faults.faulty_api`: the real API with one fault, named by REGROW_TEST_FAULT."""

from __future__ import annotations

import os
import resource
import signal
import sys
from typing import Any

from regrow.api.__main__ import main
from regrow.core.jobs.dispatcher import Dispatcher
from regrow.core.jobs.store import JobStore

FAULT = os.environ["REGROW_TEST_FAULT"]
FILE_LIMIT = 20_000
"""Bytes of a file that the disk has room for."""


def _die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    match FAULT:
        case "die-before-redis":
            JobStore.enter = _die  # type: ignore[method-assign,assignment]
        case "die-before-message":
            Dispatcher.try_dispatch = _die  # type: ignore[method-assign,assignment]
        case "disk-full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))
    sys.exit(main())
