from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Stores:
    redis_url: str
    blobs: Path

    def environment(self) -> dict[str, str]:
        return {"REGROW_REDIS_URL": self.redis_url, "REGROW_BLOB_FOLDER": str(self.blobs)}


@pytest.fixture(scope="session")
def all_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """What the files of tests have one after the other, each from empty on: see `stores`."""
    with services.valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield Stores(url, tmp_path_factory.mktemp("blobs"))


@pytest.fixture(scope="session")
def api_process(all_stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.RunningApi]:
    """One for all files of tests: to start it takes longer than most of them."""
    environment = all_stores.environment()
    environment |= {"REGROW_MAX_BODY_BYTES": "200000", "REGROW_MAX_PIXELS": "100000"}
    with services.api(environment, tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="module")
def stores(all_stores: Stores) -> Stores:
    """A real Valkey and a folder, with nothing in them."""
    with connect(all_stores.redis_url) as redis:
        redis.flushall()
    for path in all_stores.blobs.iterdir():
        shutil.rmtree(path)
    return all_stores


@pytest.fixture(scope="module")
def redis_url(stores: Stores) -> str:
    return stores.redis_url


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """A client of the real Valkey, emptied."""
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
def blob_folder(stores: Stores) -> Path:
    return stores.blobs


@pytest.fixture(scope="module")
def client(stores: Stores, api_process: services.RunningApi) -> Iterator[httpx.Client]:
    """A client of a real API process with a real Valkey and no worker."""
    with httpx.Client(base_url=api_process.url, timeout=30) as http:
        yield http
