"""Settings that the API and the workers share, from environment variables named REGROW_*."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import InvalidSettings
from core.logs import LogFormat
from core.setting_kinds import Duration, told, unknown_settings
from core.webhooks.settings import WebhookSettings


class Settings(BaseSettings):
    """Raises InvalidSettings, in one line that names the variable, where one has a bad value.

    An empty variable is as none: a compose file cannot leave one out.
    """

    model_config = SettingsConfigDict(env_prefix="REGROW_", env_file=None, env_ignore_empty=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            # One sentence for each variable: where one may be of several types, each says why it is none of its.
            sentences = {str(each["loc"][:1]): _sentence(each) for each in reversed(error.errors())}
            raise InvalidSettings("; ".join(reversed(sentences.values()))) from error


def warn_of_unknown_settings() -> None:
    """A line in the log about environment variables that look like settings and are none. Once for each process."""
    unknown = unknown_settings(os.environ)
    if unknown:
        logging.getLogger("regrow.settings").warning("%s", told(unknown))


def _sentence(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return f"REGROW_{str(error['loc'][0]).upper()}: {message}" if error["loc"] else message


class BlobSettings(Settings):
    """Which blob store, and where."""

    blob_store: Literal["files", "s3"] = "files"
    blob_folder: Path = Path("regrow-data/blobs")
    s3_endpoint: str | None = Field(default=None, description="None: Amazon's own")
    s3_region: str = "us-east-1"
    s3_bucket: str = "regrow"
    s3_access_key: str | None = Field(default=None, description="None: boto's own search for credentials")
    s3_secret_key: SecretStr | None = None
    s3_timeout: Duration = Field(
        default=timedelta(seconds=20), gt=timedelta(0), description="Without a byte, after which it is down"
    )
    s3_connect_timeout: Duration = Field(default=timedelta(seconds=1), gt=timedelta(0))
    s3_attempts: int = Field(default=3, ge=1, le=10)


class ServiceSettings(BlobSettings, WebhookSettings):
    """What every process of the service needs.

    redis_url: `redis://host:port/0`, or `unix:///path/to/socket?db=0`. lease: how long after its worker was lost a step
    is handed to another. result_ttl: how long after its end a job is deleted, picture and all; None: never.
    """

    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    lease: Duration = Field(default=timedelta(seconds=15), ge=timedelta(seconds=1))
    result_ttl: Duration | None = Field(default=None, gt=timedelta(0))
    log_format: LogFormat = LogFormat.TEXT
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
