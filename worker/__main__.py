"""`python -m worker`: one worker process."""

from __future__ import annotations

import logging
import os
import sys
import warnings

from celery.platforms import SecurityWarning

from core.errors import told_in_one_line
from core.logs import configure_logging
from worker.celery_app import build_worker
from worker.encode_job import PatchEncoder
from worker.settings import WorkerSettings


def main(encode: PatchEncoder | None = None) -> None:
    """Work until SIGTERM. encode: as for build_worker."""
    settings = WorkerSettings()
    configure_logging(settings.log_format, settings.log_level)
    os.nice(settings.nice)
    logging.getLogger("celery").setLevel(logging.WARNING)
    # Celery prints a traceback for every message that is handed back; StepRunner has told why already.
    logging.getLogger("celery.app.trace").setLevel(logging.CRITICAL)
    # Celery warns root about pickle, which this queue refuses whoever runs it.
    warnings.simplefilter("ignore", SecurityWarning)
    app = build_worker(settings, encode)
    # Not by Celery's command line, which hides how the worker ended.
    worker = app.Worker(quiet=True, without_gossip=True, without_mingle=True, loglevel="WARNING")
    worker.start()
    if worker.exitcode:
        sys.exit(worker.exitcode)


if __name__ == "__main__":
    with told_in_one_line():
        main()
