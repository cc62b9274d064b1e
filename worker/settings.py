"""A worker's settings, from environment variables named REGROW_*."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from regrow.core.jobs.messages import QueueName
from regrow.core.jobs.settings import ServiceSettings
from regrow.core.setting_kinds import Duration, Listed


class WorkerSettings(ServiceSettings):
    """batch_time: how long one batch of patches shall take. checkpoint_time: how much fitting a kill costs at most.
    heartbeat: how often a worker says that it is alive and renews its leases. nice: how far to stand back for other
    processes of the machine, such as the API, as nice(1) counts.

    gather_messages, gather_time: how many batches a worker on a GPU takes at once, and how long it waits for them, so
    that small jobs share the device. A worker on CPUs takes one at a time. queues: that it takes steps from, if not
    those that are its device's.
    """

    nice: int = Field(default=10, ge=0, le=19)
    batch_time: Duration = Field(default=timedelta(seconds=30), gt=timedelta(0))
    checkpoint_time: Duration = Field(default=timedelta(seconds=15), gt=timedelta(0))
    heartbeat: Duration = Field(default=timedelta(seconds=1), gt=timedelta(0))
    gather_messages: int = Field(default=8, ge=1, le=64)
    gather_time: Duration = Field(default=timedelta(milliseconds=50), ge=timedelta(0))

    queues: Annotated[tuple[QueueName, ...], *Listed] = ()

    @model_validator(mode="after")
    def _beats_within_a_lease(self) -> Self:
        if self.lease < 3 * self.heartbeat:
            raise ValueError("REGROW_LEASE must be at least three times REGROW_HEARTBEAT, or steps are lost at work")
        return self
