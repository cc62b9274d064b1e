from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from redis import Redis

from regrow.core.jobs.queue import WorkQueue
from regrow.core.jobs.store import JobStore
from regrow.core.stores.redis import connect
from tests import services


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.S3]:
    with services.seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as store:
        yield store


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with services.valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """A client of the module's Valkey, emptied."""
    with connect(redis_url) as client:
        client.flushall()
        yield client


@pytest.fixture
def store(redis: Redis) -> JobStore:
    return JobStore(redis)


@pytest.fixture
def queue(redis: Redis) -> WorkQueue:
    return WorkQueue(redis, lease=60)


@pytest.fixture(scope="module")
def blob_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("blobs")


@pytest.fixture(scope="module")
def client(redis_url: str, blob_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a real API process with a real Valkey and no worker."""
    environment = {"REGROW_REDIS_URL": redis_url, "REGROW_BLOB_FOLDER": str(blob_folder)}
    environment |= {"REGROW_MAX_BODY_BYTES": "200000", "REGROW_MAX_PIXELS": "100000"}
    with (
        services.api(environment, tmp_path_factory.mktemp("api")) as running,
        httpx.Client(base_url=running.url, timeout=30) as http,
    ):
        yield http
