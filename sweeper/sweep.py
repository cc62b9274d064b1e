"""What a sweeper does: looks after jobs, and sends webhooks."""

from __future__ import annotations

import threading

from regrow.core.jobs.lifecycle import Jobs
from regrow.core.jobs.messages import Sender, make_celery
from regrow.core.jobs.queue import StepQueue
from regrow.core.jobs.settings import ServiceSettings
from regrow.core.jobs.store import JobStore
from regrow.core.jobs.sweeper import Sweeper
from regrow.core.stores import make_blob_store
from regrow.core.stores.redis import connect
from regrow.core.times import now_ms
from regrow.core.webhooks.deliveries import Deliveries
from regrow.core.webhooks.dispatcher import Dispatcher


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
