"""Celery tasks: names, and what each kind of error means for the message; the work is in encode_job."""

from __future__ import annotations

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

REST_SECONDS = 1.0
"""How long a worker rests before it hands back a message that it cannot work on now, so that it does not spin."""


class StepRunner:
    """Runs steps of jobs, one per thread."""

    def __init__(self, job: EncodeJob, stopping: threading.Event) -> None:
        self._current: dict[int, str] = {}
        self._job = job
        self._stopping = stopping

    @property
    def current(self) -> str | None:
        """What is being worked on, for the heartbeat; None when idle."""
        return ", ".join(list(self._current.values())) or None

    def run(self, step: Callable[[], None], job_id: str, name: str, version: int) -> None:
        """Raises Reject, which puts the message back, where another worker or a later time may do better."""
        if version != MESSAGE_VERSION:
            self._hand_back(f"message version {version}, this worker knows {MESSAGE_VERSION}")
        if self._stopping.is_set():
            raise Reject("shutting down", requeue=True)
        self._current[threading.get_ident()] = f"{job_id}/{name}"
        try:
            step()
        except JobNotFound:
            log.warning("job %s is gone: its message is dropped", job_id)
        except (FitStopped, ServiceUnavailable) as error:
            self._hand_back(f"job {job_id}: {error}")
        except Exception as error:
            log.exception("job %s failed in step %s", job_id, name)
            self._job.store.fail(job_id, _failure(error))
        finally:
            del self._current[threading.get_ident()]

    def _hand_back(self, reason: str) -> None:
        log.warning("%s; handed back", reason)
        self._stopping.wait(REST_SECONDS)  # no rest when this process is ending
        raise Reject(reason, requeue=True)


def register_tasks(app: Celery, job: EncodeJob, runner: StepRunner) -> None:
    """Give the application its three tasks."""
    options: dict[str, Any] = {"ignore_result": True, "acks_late": True}

    @app.task(name=TaskName.PLAN, **options)
    def plan(job_id: str, version: int) -> None:
        runner.run(lambda: job.plan(job_id), job_id, "plan", version)

    @app.task(name=TaskName.FIT, **options)
    def fit(job_id: str, batch: int, version: int) -> None:
        runner.run(lambda: job.fit(job_id, batch), job_id, f"batch {batch}", version)

    @app.task(name=TaskName.ASSEMBLE, **options)
    def assemble(job_id: str, version: int) -> None:
        runner.run(lambda: job.assemble(job_id), job_id, "assemble", version)


def _failure(error: Exception) -> JobFailure:
    if isinstance(error, TooSlow):
        return JobFailure("too-slow", str(error))
    if isinstance(error, RegrowError):
        return JobFailure("worker-error", str(error))
    return JobFailure("internal-error", f"an unexpected error in the worker: {type(error).__name__}")
