"""What a sweeper does: looks after jobs, and sends webhooks."""

from __future__ import annotations

import threading

from core.jobs.lifecycle import Jobs
from core.jobs.messages import Sender, make_celery
from core.jobs.queue import StepQueue
from core.jobs.settings import ServiceSettings
from core.jobs.store import JobStore
from core.jobs.sweeper import Sweeper
from core.stores import make_blob_store
from core.stores.redis import connect
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
