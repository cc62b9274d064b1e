"""`python -m regrow.worker`: one worker process."""

from __future__ import annotations

import argparse
import logging
import os
import threading
import warnings
from functools import partial
from typing import TYPE_CHECKING

from regrow.core.errors import told_in_one_line
from regrow.core.logs import configure_logging
from regrow.core.settings import warn_of_unknown_settings
from regrow.core.stopping import on_stop
from regrow.worker.settings import WorkerSettings

if TYPE_CHECKING:
    from regrow.core.codec.encode.encoder import PatchEncoder

log = logging.getLogger("regrow.worker")


def main(encode: PatchEncoder | None = None, queues: str | None = None) -> None:
    """Work until SIGTERM. encode: as for build_worker. queues: names with commas, in place of REGROW_QUEUES.

    Raises InvalidSettings, CannotWork.
    """
    stopping = threading.Event()
    on_stop(partial(_stop_early, stopping))
    settings = WorkerSettings() if queues is None else WorkerSettings(queues=queues)  # type: ignore[arg-type]
    configure_logging(settings.log_format, settings.log_level)
    warn_of_unknown_settings()
    # Imports torch and Celery, which takes seconds: whoever stops the worker meanwhile shall see one line.
    from celery.platforms import SecurityWarning

    from regrow.worker.celery_app import build_worker

    os.nice(settings.nice)
    logging.getLogger("celery").setLevel(logging.WARNING)
    # Celery prints a traceback for every message that is handed back; UnitRunner has told why already.
    logging.getLogger("celery.app.trace").setLevel(logging.CRITICAL)
    # Celery warns root about pickle, which this queue refuses whoever runs it.
    warnings.simplefilter("ignore", SecurityWarning)
    build_worker(settings, encode, stopping).run()


def _stop_early(stopping: threading.Event) -> None:
    """Until Celery takes the signals.

    What is raised here may be lost, where the signal comes while a compiler calls back; the event never is.
    """
    stopping.set()
    log.warning("stopped before it took any job")
    raise SystemExit(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="regrow.worker", description="One worker of the service")
    parser.add_argument("-Q", "--queues", help="take steps from these queues only; names with commas")
    with told_in_one_line():
        main(queues=parser.parse_args().queues)
