"""What routes need, made once per process and handed to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request

from regrow.api.asgi.metrics import CacheCollector, FleetCollector, Metrics
from regrow.api.loopback import is_loopback
from regrow.api.pictures import Pictures
from regrow.api.settings import ApiSettings
from regrow.api.submit.concurrency import Slots
from regrow.api.submit.preparing import Preparing
from regrow.api.warm_up import WarmUp
from regrow.core.access.key_cache import KeyRing
from regrow.core.access.keys import KeyStore
from regrow.core.access.principal import Principal
from regrow.core.jobs.counters import Counters
from regrow.core.jobs.events import Events
from regrow.core.jobs.groups import Groups
from regrow.core.jobs.lifecycle import Jobs
from regrow.core.jobs.messages import Sender, make_celery
from regrow.core.jobs.processes import ProcessRegistry
from regrow.core.jobs.store import JobStore, Limits
from regrow.core.jobs.workers import WorkerRegistry
from regrow.core.stores import make_blob_store
from regrow.core.stores.redis import connect


@dataclass(frozen=True, slots=True)
class Service:
    """What the API holds for as long as its process runs: connections, caches and limits.

    preparing: the child processes that decode uploads. slots: how much of what takes long runs at once. warm_up: loads
    the decoder. processes: those that `regrow serve` keeps running.
    """

    settings: ApiSettings
    jobs: Jobs
    pictures: Pictures
    preparing: Preparing
    workers: WorkerRegistry
    processes: ProcessRegistry
    keys: KeyRing
    events: Events
    groups: Groups
    slots: Slots
    metrics: Metrics
    warm_up: WarmUp

    def limits_of(self, principal: Principal) -> Limits:
        """The most patches that a caller may have accepted and not done."""
        limits = self.settings.limits
        return limits if principal.max_patches is None else replace(limits, owned=principal.max_patches)


def make_service(settings: ApiSettings) -> Service:
    """Connect lazily: nothing is reached until a request needs it."""
    url = settings.redis_url.get_secret_value()
    redis = connect(url, retries=1)
    blobs = make_blob_store(settings)
    jobs = Jobs(JobStore(redis), blobs, Sender(make_celery(url)))
    workers, metrics = WorkerRegistry(redis), Metrics()
    pictures = Pictures(jobs, settings.bundle_cache_bytes, settings.picture_cache_bytes, metrics.decode_seconds)
    for collector in (CacheCollector(pictures.caches), FleetCollector(Counters(redis), workers)):
        metrics.registry.register(collector)
    return Service(
        settings=settings,
        jobs=jobs,
        pictures=pictures,
        preparing=Preparing(settings.preparing_limits),
        workers=workers,
        processes=ProcessRegistry(redis),
        keys=KeyRing(KeyStore(blobs), may_be_open=is_loopback(settings.host) or settings.behind_private_network),
        events=Events(url),
        groups=Groups(jobs),
        slots=Slots(),
        metrics=metrics,
        warm_up=WarmUp(),
    )


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDependency = Annotated[Service, Depends(_service)]
