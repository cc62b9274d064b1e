"""The worker process: a Celery worker with one thread per device, wired to the steps of an encode."""

from __future__ import annotations

import logging
import signal
import threading
from dataclasses import dataclass
from functools import partial
from typing import Any

from celery import Celery, bootsteps, signals

from core.codec.checkpoint import Checkpoints
from core.codec.encoder import EncodedPatches, encode_patches
from core.codec.engines import make_engine
from core.codec.fit_task import FitHooks
from core.codec.images import Picture
from core.codec.settings import EncodeSettings
from core.codec.trial import try_out
from core.jobs.blobs import make_blob_store
from core.jobs.counters import Counters
from core.jobs.lifecycle import Jobs
from core.jobs.messages import Sender, make_celery
from core.jobs.queue import StepQueue
from core.jobs.scripts import connect
from core.jobs.store import JobStore
from core.jobs.workers import WorkerRegistry
from core.stopping import STOPS, heeded
from worker.encode_job import EncodeJob, PatchEncoder
from worker.gather import FitGatherer
from worker.heartbeat import Heartbeat
from worker.leases import Leases
from worker.settings import WorkerSettings
from worker.sources import Sources
from worker.speed import Speed
from worker.tasks import StepRunner, register_task
from worker.trial import prove

log = logging.getLogger("regrow.worker")


@dataclass(frozen=True, slots=True)
class Worker:
    """own_engine: whether this machine's engine fits, rather than what stands in for it."""

    app: Celery
    heartbeat: Heartbeat
    runner: StepRunner
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
            self.app.worker_main(["--quiet", "worker", "--without-gossip", "--without-mingle", "--loglevel=WARNING"])
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


def build_worker(settings: WorkerSettings, encode: PatchEncoder | None = None) -> Worker:
    """A worker that is ready to run.

    encode: what fits patches, if not this machine's fastest engine.
    """
    url = settings.redis_url.get_secret_value()
    app = make_celery(url)
    app.steps["worker"].add(_Signals)
    fitter = FitGatherer(make_engine())
    batch_seconds = settings.batch_time.total_seconds()
    if fitter.engine.name == "cuda":
        fitter.gather_seconds = settings.gather_time.total_seconds()
        app.conf.worker_concurrency = settings.gather_messages
        batch_seconds /= settings.gather_messages  # they may all be fitted as one
    runner = _make_runner(settings, app, fitter, encode or _encoder(fitter), batch_seconds)
    register_task(app, runner)
    registry = WorkerRegistry(connect(url))
    heartbeat = Heartbeat(registry, runner, fitter.engine.name, settings.heartbeat.total_seconds())

    def on_ready(**_: Any) -> None:
        log.info("worker ready: engine %s", fitter.engine.name)

    def on_stopping(**_: Any) -> None:
        runner.stopping.set()  # the running fit hands its batch back

    # Celery keeps weak references to receivers unless told otherwise.
    signals.worker_ready.connect(on_ready, weak=False)
    signals.worker_shutting_down.connect(on_stopping, weak=False)
    return Worker(app, heartbeat, runner, fitter, own_engine=encode is None)


def _encoder(fitter: FitGatherer) -> PatchEncoder:
    """Fits on this worker's device."""

    def encode(
        picture: Picture, patches: range, settings: EncodeSettings, hooks: FitHooks, checkpoints: Checkpoints[bytes]
    ) -> EncodedPatches:
        return encode_patches(picture, patches, settings, fitter.fit, hooks, checkpoints)

    return encode


def _make_runner(
    settings: WorkerSettings, app: Celery, fitter: FitGatherer, encode: PatchEncoder, batch_seconds: float
) -> StepRunner:
    redis = connect(settings.redis_url.get_secret_value())
    jobs = Jobs(JobStore(redis), make_blob_store(settings), Sender(app))
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
