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
from regrow.core.access.key_cache import KeyCache
from regrow.core.access.keys import KeyStore
from regrow.core.access.principal import Principal
from regrow.core.jobs.capacity import Capacity
from regrow.core.jobs.events import Events
from regrow.core.jobs.groups import Groups
from regrow.core.jobs.lifecycle import Jobs
from regrow.core.jobs.processes import ProcessRegistry
from regrow.core.jobs.store import JobStore, Limits
from regrow.core.jobs.wiring import make_backend
from regrow.core.jobs.workers import WorkerRegistry
from regrow.core.stores.blobs import BlobStore
from regrow.core.webhooks.deliveries import Deliveries


@dataclass(frozen=True, slots=True)
class Service:
    """What the API holds for as long as its process runs: connections, caches and limits.

    preparing: the child processes that decode uploads. slots: how much of what takes long runs at once. warm_up: loads
    the decoder. processes: those that `regrow serve` keeps running.
    """

    settings: ApiSettings
    jobs: Jobs
    store: JobStore
    blobs: BlobStore
    deliveries: Deliveries
    pictures: Pictures
    preparing: Preparing
    workers: WorkerRegistry
    capacity: Capacity
    processes: ProcessRegistry
    keys: KeyCache
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
    backend, metrics = make_backend(settings, retries=1), Metrics()
    pictures = Pictures(backend.jobs, settings.bundle_cache_bytes, settings.picture_cache_bytes, metrics.decode_seconds)
    for collector in (CacheCollector(pictures.caches), FleetCollector(backend.counters, backend.workers)):
        metrics.registry.register(collector)
    return Service(
        settings=settings,
        jobs=backend.jobs,
        store=backend.store,
        blobs=backend.blobs,
        deliveries=backend.deliveries,
        pictures=pictures,
        preparing=Preparing(settings.preparing_limits),
        workers=backend.workers,
        capacity=backend.capacity,
        processes=backend.processes,
        keys=KeyCache(
            KeyStore(backend.blobs), may_be_open=is_loopback(settings.host) or settings.behind_private_network
        ),
        events=Events(settings.redis_url.get_secret_value()),
        groups=backend.groups,
        slots=Slots(),
        metrics=metrics,
        warm_up=WarmUp(),
    )


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDependency = Annotated[Service, Depends(_service)]
