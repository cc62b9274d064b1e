"""The worker process: a Celery worker with one thread per device, wired to the steps of an encode."""

from __future__ import annotations

import logging
import threading
from typing import Any

from celery import Celery, signals

from core.codec.checkpoint import Checkpoints
from core.codec.encoder import EncodedPatches, encode_patches
from core.codec.engines import make_engine
from core.codec.fit_task import FitHooks
from core.codec.images import Picture
from core.codec.settings import EncodeSettings
from core.errors import ServiceUnavailable, UnfitStore
from core.jobs.blobs import make_blob_store
from core.jobs.blobs.base import BlobStore
from core.jobs.counters import Counters
from core.jobs.lifecycle import Jobs
from core.jobs.messages import Sender, make_celery
from core.jobs.queue import StepQueue
from core.jobs.scripts import connect
from core.jobs.store import JobStore
from core.jobs.workers import WorkerRegistry
from worker.consumer import patient_consumer
from worker.encode_job import EncodeJob, PatchEncoder
from worker.gather import FitGatherer
from worker.heartbeat import Heartbeat
from worker.leases import Leases
from worker.settings import WorkerSettings
from worker.sources import Sources
from worker.speed import Speed
from worker.tasks import StepRunner, register_task

log = logging.getLogger("regrow.worker")


def build_worker(settings: WorkerSettings, encode: PatchEncoder | None = None) -> Celery:
    """A Celery application with its task registered and the heartbeat hooked to its start and end.

    encode: what fits patches, if not this machine's fastest engine. Raises UnfitStore.
    """
    url = settings.redis_url.get_secret_value()
    app, blobs = make_celery(url), _fit_store(settings)
    fitter = FitGatherer(make_engine())
    batch_seconds = settings.batch_time.total_seconds()
    if fitter.engine.name == "cuda":
        fitter.gather_seconds = settings.gather_time.total_seconds()
        app.conf.worker_concurrency = settings.gather_messages
        batch_seconds /= settings.gather_messages  # they may all be fitted as one
    runner = _make_runner(settings, app, blobs, fitter, encode or _encoder(fitter), batch_seconds)
    register_task(app, runner)
    app.conf.worker_consumer = patient_consumer(runner.jobs.store.check)
    registry = WorkerRegistry(connect(url))
    heartbeat = Heartbeat(registry, runner, fitter.engine.name, settings.heartbeat.total_seconds())

    def on_ready(**_: Any) -> None:
        heartbeat.start()
        log.info("worker ready: engine %s", fitter.engine.name)

    def on_stopping(**_: Any) -> None:
        runner.stopping.set()  # the running fit hands its batch back

    def on_stopped(**_: Any) -> None:
        heartbeat.stop()

    # Celery keeps weak references to receivers unless told otherwise.
    signals.worker_ready.connect(on_ready, weak=False)
    signals.worker_shutting_down.connect(on_stopping, weak=False)
    signals.worker_shutdown.connect(on_stopped, weak=False)
    return app


def _encoder(fitter: FitGatherer) -> PatchEncoder:
    """Fits on this worker's device."""

    def encode(
        picture: Picture, patches: range, settings: EncodeSettings, hooks: FitHooks, checkpoints: Checkpoints[bytes]
    ) -> EncodedPatches:
        return encode_patches(picture, patches, settings, fitter.fit, hooks, checkpoints)

    return encode


def _fit_store(settings: WorkerSettings) -> BlobStore:
    """Raises UnfitStore. A store that is away may come back: that is waited for where it is needed."""
    blobs = make_blob_store(settings)
    try:
        blobs.check()
    except UnfitStore:
        raise
    except ServiceUnavailable as error:
        log.warning("%s", error)
    return blobs


def _make_runner(
    settings: WorkerSettings,
    app: Celery,
    blobs: BlobStore,
    fitter: FitGatherer,
    encode: PatchEncoder,
    batch_seconds: float,
) -> StepRunner:
    redis = connect(settings.redis_url.get_secret_value())
    jobs = Jobs(JobStore(redis), blobs, Sender(app))
    leases = Leases(StepQueue(redis, settings.lease.total_seconds()))
    speed, stopping = Speed(fitter.engine.name), threading.Event()
    job = EncodeJob(
        jobs=jobs,
        leases=leases,
        sources=Sources(jobs.blobs),
        counters=Counters(redis),
        encode=encode,
        speed=speed,
        checkpoint_seconds=settings.checkpoint_time.total_seconds(),
        stopping=stopping,
    )
    return StepRunner(jobs, leases, speed, batch_seconds, stopping, job.run)
