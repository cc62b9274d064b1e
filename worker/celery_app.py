"""The worker process: a Celery worker with one thread per device, wired to the work units of an encode."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from dataclasses import dataclass
from functools import partial
from typing import Any

from celery import Celery, bootsteps, signals

from regrow.core.codec.encode.encoder import PatchEncoder, encoder_on
from regrow.core.codec.fit.engines import make_engine
from regrow.core.codec.fit.trial import try_out
from regrow.core.errors import ServiceUnavailable, UnfitStore
from regrow.core.jobs.messages import queues_of
from regrow.core.jobs.wiring import Backend, make_backend
from regrow.core.jobs.workers import WorkerRecord
from regrow.core.stopping import STOPS, heeded
from regrow.core.stores.blobs import BlobStore
from regrow.worker.consumer import patient_consumer
from regrow.worker.encode_job import EncodeJob
from regrow.worker.heartbeat import Heartbeat, record_of
from regrow.worker.intake import Intake
from regrow.worker.joint_fit import FitGatherer
from regrow.worker.leases import Leases
from regrow.worker.settings import WorkerSettings
from regrow.worker.source_cache import Sources
from regrow.worker.speed import Speed
from regrow.worker.tasks import UnitRunner, register_tasks
from regrow.worker.trial import prove

log = logging.getLogger("regrow.worker")


@dataclass(frozen=True, slots=True)
class Worker:
    """own_engine: whether this machine's engine fits, rather than what stands in for it."""

    app: Celery
    record: WorkerRecord
    heartbeat: Heartbeat
    runner: UnitRunner
    fitter: FitGatherer
    own_engine: bool

    def run(self) -> None:
        """Work until the process is asked to stop. Raises CannotWork."""
        self.heartbeat.start()
        try:
            if self.own_engine:
                self.heartbeat.doing = "a tiny fit, before it takes jobs"
                prove(self.runner, partial(try_out, self.fitter.engine))
                self.heartbeat.doing = None
            if self.runner.stopping.is_set():
                return
            # Not by Celery's command line, which hides how the worker ended.
            worker = self.app.Worker(
                hostname=self.record.node,
                queues=list(self.record.queues),
                quiet=True,
                without_gossip=True,
                without_mingle=True,
                loglevel="WARNING",
            )
            worker.start()
            if worker.exitcode:
                sys.exit(worker.exitcode)
        finally:
            self.heartbeat.stop()


class _Signals(bootsteps.StartStopStep):  # type: ignore[misc]
    """Celery takes all signals, once it starts: gives back those that were ignored before.

    At SIGHUP it would run itself again, without the options that Python was given.
    """

    def __init__(self, parent: object, **options: object) -> None:
        super().__init__(parent, **options)
        self._ignored = set(STOPS) - set(heeded())

    def start(self, _: object) -> None:
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
        for number in self._ignored:
            signal.signal(number, signal.SIG_IGN)


def build_worker(settings: WorkerSettings, encode: PatchEncoder | None, stopping: threading.Event) -> Worker:
    """A worker that is ready to run.

    encode: what fits patches, if not this machine's fastest engine. stopping: set when it is to end. Raises UnfitStore.
    """
    backend = make_backend(settings)
    _check_fit(backend.blobs)
    app = backend.celery
    app.steps["worker"].add(_Signals)
    fitter = FitGatherer(make_engine())
    batch_seconds = settings.batch_time.total_seconds()
    if fitter.engine.name == "cuda":
        fitter.gather_seconds = settings.gather_time.total_seconds()
        app.conf.worker_concurrency = settings.gather_messages
        batch_seconds /= settings.gather_messages  # they may all be fitted as one
    queues = settings.queues or queues_of(fitter.engine.name)
    record = record_of(fitter.engine.name, queues, app.conf.worker_concurrency)
    runner = _make_runner(settings, backend, fitter, encode or encoder_on(fitter.fit), batch_seconds, stopping, record)
    intake = Intake(queues)
    register_tasks(app, runner, intake)
    app.conf.worker_consumer = intake.attached(patient_consumer(backend.store.check))
    heartbeat = Heartbeat(backend, runner, intake, record, settings.heartbeat.total_seconds())
    _on_signals(heartbeat, runner, record)
    return Worker(app, record, heartbeat, runner, fitter, own_engine=encode is None)


def _on_signals(heartbeat: Heartbeat, runner: UnitRunner, record: WorkerRecord) -> None:
    """Tell them what Celery tells."""

    def on_ready(**_: Any) -> None:
        log.info("worker ready: engine %s, queues %s", record.engine, ", ".join(record.queues))
        heartbeat.ready = True
        heartbeat.beat()

    def on_stopping(**_: Any) -> None:
        runner.stopping.set()  # the running fit hands its batch back
        heartbeat.beat()

    # Celery keeps weak references to receivers unless told otherwise.
    signals.worker_ready.connect(on_ready, weak=False)
    signals.worker_shutting_down.connect(on_stopping, weak=False)


def _check_fit(blobs: BlobStore) -> None:
    """Raises UnfitStore. A store that is away may come back: that is waited for where it is needed."""
    try:
        blobs.check()
    except UnfitStore:
        raise
    except ServiceUnavailable as error:
        log.warning("%s", error)


def _make_runner(
    settings: WorkerSettings,
    backend: Backend,
    fitter: FitGatherer,
    encode: PatchEncoder,
    batch_seconds: float,
    stopping: threading.Event,
    record: WorkerRecord,
) -> UnitRunner:
    leases, speed = Leases(backend.queue), Speed(fitter.engine.name)
    job = EncodeJob(
        jobs=backend.jobs,
        store=backend.store,
        blobs=backend.blobs,
        leases=leases,
        sources=Sources(backend.blobs),
        counters=backend.counters,
        encode=encode,
        speed=speed,
        checkpoint_seconds=settings.checkpoint_time.total_seconds(),
        stopping=stopping,
    )
    return UnitRunner(backend.dispatcher, backend.blobs, leases, speed, record.node, batch_seconds, stopping, job.run)
