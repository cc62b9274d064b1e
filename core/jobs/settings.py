"""Settings that the API and the workers share, from environment variables named REGROW_*."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr

from regrow.core.logs import LogFormat
from regrow.core.setting_kinds import Duration
from regrow.core.stores.settings import BlobSettings
from regrow.core.webhooks.settings import WebhookSettings


class ServiceSettings(BlobSettings, WebhookSettings):
    """What every process of the service needs.

    redis_url: `redis://host:port/0`, or `unix:///path/to/socket?db=0`. lease: how long after its worker was lost a work
    unit is handed to another. pick_up: how long the message that names a unit may be on its way to a free worker before
    another is sent. result_ttl: how long after its end a job is deleted, picture and all; None: never.
    """

    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    lease: Duration = Field(default=timedelta(seconds=15), ge=timedelta(seconds=1))
    pick_up: Duration = Field(default=timedelta(seconds=10), ge=timedelta(seconds=1))
    result_ttl: Duration | None = Field(default=None, gt=timedelta(0))
    log_format: LogFormat = LogFormat.TEXT
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
