"""Blobs in S3-compatible storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from regrow.core.errors import BlobNotFound, ServiceUnavailable
from regrow.core.stores.fitness import Fitness, delete_old_probes, new_probe
from regrow.core.stores.settings import BlobSettings

_MISSING = {"404", "NoSuchKey", "NotFound"}
_ALREADY_THERE = {"412", "PreconditionFailed"}
_CONFLICT = {"409", "ConditionalRequestConflict"}
"""Another is writing it at this moment, and may yet fail."""

CONFLICT_TRIES = 3

_NOT_UNDERSTOOD = {400, 405, 501}
"""Statuses that a store which does not know the condition may answer with. All are of other troubles too: 400 of a body
that was cut, of an expired token."""

_LACKS = (
    "the blob store does not do conditional writes (PUT with If-None-Match: *), without which work is done twice: use "
    "one that does, such as Amazon S3, MinIO or SeaweedFS, and nothing in between that drops the header"
)


class S3BlobStore:
    """Objects in one bucket, which must exist."""

    def __init__(self, settings: BlobSettings) -> None:
        self._bucket, self._fitness = settings.s3_bucket, Fitness(_LACKS)
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=settings.s3_endpoint,
            region_name=settings.s3_region,
            aws_access_key_id=settings.s3_access_key,
            aws_secret_access_key=settings.s3_secret_key and settings.s3_secret_key.get_secret_value(),
            config=Config(
                connect_timeout=settings.s3_connect_timeout.total_seconds(),
                read_timeout=settings.s3_timeout.total_seconds(),
                retries={"mode": "standard", "max_attempts": settings.s3_attempts},
                s3={"addressing_style": "path"},
                # Stores other than Amazon's do not all know the newer checksum trailers.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def put(self, key: str, data: bytes) -> None:
        with _errors():
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        with _errors():
            for tries_left in reversed(range(CONFLICT_TRIES)):
                try:
                    self._client.put_object(Bucket=self._bucket, Key=key, Body=data, IfNoneMatch="*")
                    return True
                except ClientError as error:
                    if _code(error) in _ALREADY_THERE:
                        return False
                    if _status(error) in _NOT_UNDERSTOOD and self._refuses_conditions():
                        raise self._fitness.unfit() from error
                    if _code(error) not in _CONFLICT or not tries_left:
                        raise
        raise AssertionError("unreachable")

    def _refuses_conditions(self) -> bool:
        """Whether an empty object can be written, but not with a condition: then it was no trouble of the moment."""
        key = new_probe()
        try:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=b"", IfNoneMatch="*")
            refuses = False
        except ClientError as error:
            refuses = _status(error) in _NOT_UNDERSTOOD
        if refuses:
            self.put(key, b"")
        self.delete(key)
        return refuses

    def get(self, key: str) -> bytes:
        with _errors(key):
            data: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            return data

    def exists(self, key: str) -> bool:
        try:
            with _errors(key):
                self._client.head_object(Bucket=self._bucket, Key=key)
        except BlobNotFound:
            return False
        return True

    def folders(self, prefix: str) -> list[str]:
        with _errors():
            paginator = self._client.get_paginator("list_objects_v2")
            pages = paginator.paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/")
            found = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", ())]
        return sorted(name.removeprefix(prefix).rstrip("/") for name in found)

    def list(self, prefix: str) -> list[str]:
        with _errors():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return sorted(item["Key"] for page in pages for item in page.get("Contents", ()))

    def delete(self, key: str) -> None:
        with _errors():
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def tidy(self) -> None:
        """Probes only: an upload is there whole or not at all."""
        delete_old_probes(self)

    def check(self) -> None:
        try:
            with _errors("bucket"):
                self._client.head_bucket(Bucket=self._bucket)
        except BlobNotFound as error:
            raise ServiceUnavailable(f"the blob store has no bucket {self._bucket}") from error
        self.check_fit()

    def check_fit(self) -> None:
        self._fitness.check(self)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def _errors(key: str | None = None) -> Iterator[None]:
    """boto's errors as ours; a missing object counts as BlobNotFound only where a key is named."""
    try:
        yield
    except ClientError as error:
        if key is not None and _code(error) in _MISSING:
            raise BlobNotFound(f"there is no object {key}") from error
        raise ServiceUnavailable(f"the blob store refused: {_code(error)}") from error
    except BotoCoreError as error:
        raise ServiceUnavailable(f"the blob store cannot be reached: {type(error).__name__}") from error
