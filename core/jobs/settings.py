"""Settings that the API and the workers share, from environment variables named REGROW_*."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class BlobSettings(BaseSettings):
    """Which blob store, and where."""

    model_config = SettingsConfigDict(env_prefix="REGROW_", env_file=None)

    blob_store: Literal["files", "s3"] = "files"
    blob_folder: Path = Path("regrow-data/blobs")
    s3_endpoint: str | None = Field(default=None, description="None: Amazon's own")
    s3_region: str = "us-east-1"
    s3_bucket: str = "regrow"
    s3_access_key: str | None = Field(default=None, description="None: boto's own search for credentials")
    s3_secret_key: SecretStr | None = None


class ServiceSettings(BlobSettings):
    """What every process of the service needs.

    redis_url: `redis://host:port/0`, or `unix:///path/to/socket?db=0`.
    """

    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
