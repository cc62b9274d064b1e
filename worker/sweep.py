"""A sweeper as a process of its own, for a fleet: `regrow worker --sweeper`."""

from __future__ import annotations

import threading

from core.errors import told_in_one_line
from core.jobs.blobs import make_blob_store
from core.jobs.lifecycle import Jobs
from core.jobs.messages import Sender, make_celery
from core.jobs.queue import StepQueue
from core.jobs.scripts import connect
from core.jobs.settings import ServiceSettings, warn_of_unknown_settings
from core.jobs.store import JobStore
from core.jobs.sweeper import Sweeper
from core.logs import configure_logging
from core.stopping import on_stop
from core.times import now_ms
from core.webhooks.deliveries import Deliveries
from core.webhooks.dispatcher import Dispatcher


def make_sweeper(settings: ServiceSettings) -> Sweeper:
    """With connections of its own, made when they are needed."""
    url = settings.redis_url.get_secret_value()
    redis = connect(url)
    jobs = Jobs(JobStore(redis), make_blob_store(settings), Sender(make_celery(url)))
    return Sweeper(jobs, StepQueue(redis, settings.lease.total_seconds()), settings.result_ttl)


def make_dispatcher(settings: ServiceSettings) -> Dispatcher:
    """Of webhooks, with connections of its own."""
    redis = connect(settings.redis_url.get_secret_value())
    return Dispatcher(Deliveries(redis, make_blob_store(settings), now_ms), settings)


def sweep(settings: ServiceSettings, stopping: threading.Event) -> None:
    """Look after jobs and send webhooks until told to stop."""
    run = make_dispatcher(settings).run
    dispatcher = threading.Thread(target=run, args=[stopping], name="webhooks", daemon=True)
    dispatcher.start()
    make_sweeper(settings).run(stopping)
    dispatcher.join()


def main() -> None:
    """Sweep until SIGTERM."""
    settings = ServiceSettings()
    configure_logging(settings.log_format, settings.log_level)
    warn_of_unknown_settings()
    stopping = threading.Event()
    on_stop(stopping.set)
    sweep(settings, stopping)


if __name__ == "__main__":
    with told_in_one_line():
        main()
