"""Which blob store, and where."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from regrow.core.setting_kinds import Duration
from regrow.core.settings import Settings


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
