"""Everything of the job side, made once per process from its settings and handed to what needs it."""

from __future__ import annotations

from dataclasses import dataclass

from celery import Celery

from regrow.core.jobs.capacity import Capacity
from regrow.core.jobs.counters import Counters
from regrow.core.jobs.dispatcher import Dispatcher
from regrow.core.jobs.groups import Groups
from regrow.core.jobs.lifecycle import Jobs
from regrow.core.jobs.messages import Sender, make_celery
from regrow.core.jobs.processes import ProcessRegistry
from regrow.core.jobs.queue import WorkQueue
from regrow.core.jobs.settings import ServiceSettings
from regrow.core.jobs.store import JobStore
from regrow.core.jobs.workers import WorkerRegistry
from regrow.core.stores import make_blob_store
from regrow.core.stores.blobs import BlobStore
from regrow.core.stores.redis import connect
from regrow.core.stores.redis_client import RedisClient
from regrow.core.times import now_ms
from regrow.core.webhooks.deliveries import Deliveries


@dataclass(frozen=True, slots=True)
class Backend:
    """One Redis, one blob store, and all that works on them. Thread-safe.

    store: jobs in Redis alone; jobs: in both stores. deliveries: of webhooks. celery: sends the messages that name work
    units, and receives them in a worker.
    """

    redis: RedisClient
    blobs: BlobStore
    celery: Celery
    store: JobStore
    deliveries: Deliveries
    jobs: Jobs
    groups: Groups
    queue: WorkQueue
    dispatcher: Dispatcher
    workers: WorkerRegistry
    capacity: Capacity
    processes: ProcessRegistry
    counters: Counters


def make_backend(settings: ServiceSettings, *, retries: int = 0) -> Backend:
    """Connects lazily: nothing is reached until it is needed. retries: as for core.stores.redis.connect."""
    url = settings.redis_url.get_secret_value()
    redis, blobs, celery = connect(url, retries=retries), make_blob_store(settings), make_celery(url)
    store, deliveries = JobStore(redis), Deliveries(redis, blobs, now_ms)
    queue = WorkQueue(redis, settings.lease.total_seconds(), settings.pick_up.total_seconds())
    dispatcher, workers = Dispatcher(queue, Sender(celery)), WorkerRegistry(redis)
    jobs = Jobs(store, blobs, dispatcher, deliveries)
    return Backend(
        redis=redis,
        blobs=blobs,
        celery=celery,
        store=store,
        deliveries=deliveries,
        jobs=jobs,
        groups=Groups(jobs, blobs, deliveries),
        queue=queue,
        dispatcher=dispatcher,
        workers=workers,
        capacity=Capacity(redis, workers),
        processes=ProcessRegistry(redis),
        counters=Counters(redis),
    )
