"""What routes need, made once per process and handed to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request

from api.asgi.metrics import CacheCollector, FleetCollector, Metrics
from api.loopback import is_loopback
from api.pictures import Pictures
from api.settings import ApiSettings
from api.submit.concurrency import Slots
from api.submit.preparing import Preparing
from api.warm_up import WarmUp
from core.access.key_cache import KeyRing
from core.access.keys import KeyStore
from core.access.principal import Principal
from core.jobs.counters import Counters
from core.jobs.events import Events
from core.jobs.groups import Groups
from core.jobs.lifecycle import Jobs
from core.jobs.messages import Sender, make_celery
from core.jobs.processes import ProcessRegistry
from core.jobs.store import JobStore, Limits
from core.jobs.workers import WorkerRegistry
from core.stores import make_blob_store
from core.stores.redis import connect


@dataclass(frozen=True, slots=True)
class Service:
    """The API's connections."""

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
        """The most patches that this one may have outstanding."""
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
