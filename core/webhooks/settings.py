"""Settings of webhooks, from environment variables named REGROW_WEBHOOK_*."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from regrow.core.setting_kinds import Duration, Listed

WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)


class WebhookSettings(BaseSettings):
    """webhook_waits: before each attempt after the first; when they are used up a delivery has failed.

    webhook_networks: may be called although they are not public. webhook_timeout: of an attempt, from first to last.
    """

    model_config = SettingsConfigDict(env_prefix="REGROW_", env_file=None, env_ignore_empty=True)

    webhook_waits: Annotated[tuple[Duration, ...], *Listed] = WAITS
    webhook_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], *Listed] = ()
    webhook_timeout: Duration = Field(default=timedelta(seconds=15), gt=timedelta(0))
