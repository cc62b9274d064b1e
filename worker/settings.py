"""A worker's settings, from environment variables named REGROW_*."""

from __future__ import annotations

from datetime import timedelta

from core.jobs.settings import ServiceSettings


class WorkerSettings(ServiceSettings):
    """batch_time: how long one batch of patches may take. heartbeat: how often a worker says that it is alive."""

    batch_time: timedelta = timedelta(seconds=60)
    heartbeat: timedelta = timedelta(seconds=2)
