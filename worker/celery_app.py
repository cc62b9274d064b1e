"""The worker process: a Celery worker with one thread per device, wired to the steps of an encode."""

from __future__ import annotations

import logging
import threading
from typing import Any

from celery import Celery, signals

from core.codec.engines import make_engine
from core.jobs.blobs import make_blob_store
from core.jobs.messages import Sender, make_celery
from core.jobs.store import JobStore, connect
from core.jobs.workers import WorkerRegistry
from worker.device import DeviceSpeed
from worker.encode_job import EncodeJob
from worker.gather import FitGatherer
from worker.heartbeat import Heartbeat
from worker.settings import WorkerSettings
from worker.tasks import StepRunner, register_tasks

log = logging.getLogger("regrow.worker")


def build_worker(settings: WorkerSettings) -> Celery:
    """A Celery application with the tasks registered and the heartbeat hooked to its start and end."""
    url = settings.redis_url.get_secret_value()
    app = make_celery(url)
    redis = connect(url)
    stopping = threading.Event()
    fitter = FitGatherer(make_engine())
    batch_seconds = settings.batch_time.total_seconds()
    if fitter.engine.name == "cuda":
        fitter.gather_seconds = settings.gather_time.total_seconds()
        app.conf.worker_concurrency = settings.gather_messages
        batch_seconds /= settings.gather_messages  # they may all be fitted as one
    job = EncodeJob(
        store=JobStore(redis),
        blobs=make_blob_store(settings),
        sender=Sender(app),
        fitter=fitter,
        speed=DeviceSpeed(fitter.engine),
        batch_seconds=batch_seconds,
        stopping=stopping,
    )
    runner = StepRunner(job)
    register_tasks(app, job, runner)
    heartbeat = Heartbeat(
        WorkerRegistry(redis), job.fitter.engine.name, settings.heartbeat.total_seconds(), lambda: runner.current
    )

    def on_ready(**_: Any) -> None:
        heartbeat.start()
        log.info("worker ready: engine %s", job.fitter.engine.name)

    def on_stop(**_: Any) -> None:
        stopping.set()  # the running fit hands its batch back
        heartbeat.stop()

    # Celery keeps weak references to receivers unless told otherwise.
    signals.worker_ready.connect(on_ready, weak=False)
    signals.worker_shutting_down.connect(on_stop, weak=False)
    return app
