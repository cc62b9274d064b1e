"""Celery tasks: names, and what each kind of error means for the message; the work is in encode_job."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.exceptions import Reject

from core.errors import FitStopped, JobNotFound, RegrowError, ServiceUnavailable
from core.jobs.messages import MESSAGE_VERSION, TaskName
from core.jobs.model import JobFailure
from worker.device import TooSlow
from worker.encode_job import EncodeJob

log = logging.getLogger("regrow.worker")

BATCH = "batch "

REST_SECONDS = 1.0
"""How long a worker rests before it hands back a message that it cannot work on now, so that it does not spin."""


MAX_ATTEMPTS = 3
"""How often a step of a job may begin and not come to an end; whatever kills its worker must not do so for ever."""


class StepRunner:
    """Runs steps of jobs, one per thread."""

    def __init__(self, job: EncodeJob) -> None:
        self._current: dict[int, str] = {}
        self._job = job

    @property
    def current(self) -> str | None:
        """What is being worked on, for the heartbeat; None when idle."""
        return ", ".join(list(self._current.values())) or None

    def run(self, step: Callable[[], None], job_id: str, name: str, version: int) -> None:
        """Raises Reject, which puts the message back, where another worker or a later time may do better."""
        if self._job.stopping.is_set():
            raise Reject("shutting down", requeue=True)
        self._current[threading.get_ident()] = f"{job_id}/{name}"
        try:
            self._attempt(step, job_id, name, version)
        except ServiceUnavailable as error:
            log.warning("job %s, %s: %s; handed back", job_id, name, error)
            self._job.stopping.wait(REST_SECONDS)  # no rest when this process is ending
            raise Reject(str(error), requeue=True) from error
        finally:
            del self._current[threading.get_ident()]

    def _attempt(self, step: Callable[[], None], job_id: str, name: str, version: int) -> None:
        store = self._job.store
        if version != MESSAGE_VERSION:
            message = f"message version {version} reached a worker that knows {MESSAGE_VERSION}: run one release only"
            store.fail(job_id, JobFailure("version-mismatch", message))
            return
        attempts = store.begin(job_id, name, batch=name.startswith(BATCH))
        if attempts == 0:
            log.warning("job %s is gone: its message is dropped", job_id)
            return
        if attempts > MAX_ATTEMPTS:
            store.fail(job_id, JobFailure("step-failed", f"{name} was tried {MAX_ATTEMPTS} times and never finished"))
            return
        try:
            step()
        except JobNotFound:
            log.warning("job %s is gone: its message is dropped", job_id)
        except ServiceUnavailable:
            with contextlib.suppress(ServiceUnavailable):
                store.give_back(job_id, name)
            raise
        except FitStopped as error:
            with contextlib.suppress(ServiceUnavailable):
                store.give_back(job_id, name)
            log.info("job %s, %s: %s; handed back", job_id, name, error)
            raise Reject(str(error), requeue=True) from error
        except Exception as error:
            log.exception("job %s failed in %s", job_id, name)
            store.fail(job_id, _failure(error))


def register_tasks(app: Celery, job: EncodeJob, runner: StepRunner) -> None:
    """Give the application its three tasks."""
    options: dict[str, Any] = {"ignore_result": True, "acks_late": True}

    @app.task(name=TaskName.PLAN, **options)
    def plan(job_id: str, version: int) -> None:
        runner.run(lambda: job.plan(job_id), job_id, "plan", version)

    @app.task(name=TaskName.FIT, **options)
    def fit(job_id: str, batch: int, version: int) -> None:
        runner.run(lambda: job.fit(job_id, batch), job_id, f"{BATCH}{batch}", version)

    @app.task(name=TaskName.ASSEMBLE, **options)
    def assemble(job_id: str, version: int) -> None:
        runner.run(lambda: job.assemble(job_id), job_id, "assemble", version)


def _failure(error: Exception) -> JobFailure:
    if isinstance(error, TooSlow):
        return JobFailure("too-slow", str(error))
    if isinstance(error, RegrowError):
        return JobFailure("worker-error", str(error))
    return JobFailure("internal-error", f"an unexpected error in the worker: {type(error).__name__}")
