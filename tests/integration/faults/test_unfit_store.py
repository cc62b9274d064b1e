"""A blob store without conditional writes is named, by readiness, by every submission, and by a worker that ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from regrow.core.errors import ServiceUnavailable, UnfitStore
from regrow.core.stores.s3 import S3BlobStore
from tests import services
from tests.integration.faults.unfit_store import settings_of, unfit_store
from tests.pictures import smooth_file


@pytest.fixture(params=["refused", "ignored"])
def unfit(request: pytest.FixtureRequest, seaweedfs: services.S3) -> Iterator[services.S3]:
    with unfit_store(seaweedfs, request.param) as store:
        yield store


def test_A3_it_is_found_out_and_nothing_is_left_behind(unfit: services.S3) -> None:
    blobs = S3BlobStore(settings_of(unfit))
    for check in (blobs.check, blobs.check_fit):
        with pytest.raises(UnfitStore, match=r"If-None-Match.*use one that does"):
            check()
    assert blobs.list("probes/") == []


def test_A3_a_store_that_is_fit_is_asked_once_a_minute(seaweedfs: services.S3, tmp_path: Path) -> None:
    blobs = S3BlobStore(settings_of(seaweedfs))
    blobs.check()
    assert blobs.list("probes/") == []
    with unfit_store(seaweedfs, "refused") as store:
        blobs._client = S3BlobStore(settings_of(store))._client
        blobs.check_fit()
        with pytest.raises(UnfitStore):
            blobs.put_if_absent("a", b"")
        with pytest.raises(UnfitStore):
            blobs.check_fit()


def test_A3_a_trouble_of_the_moment_is_not_taken_for_it(seaweedfs: services.S3) -> None:
    """S3 answers 400 to a body that was cut on its way, too."""
    with unfit_store(seaweedfs, "cut") as store:
        blobs = S3BlobStore(settings_of(store))
        with pytest.raises(ServiceUnavailable, match="IncompleteBody") as raised:
            blobs.put_if_absent("a", b"a")
        assert not isinstance(raised.value, UnfitStore)
        blobs.check()
        assert blobs.list("probes/") == []


def test_A3_no_job_is_taken(unfit: services.S3, redis_url: str, tmp_path: Path) -> None:
    environment = {"REGROW_REDIS_URL": redis_url, **unfit.environment()}
    blobs = S3BlobStore(settings_of(unfit))
    before = _of_jobs(blobs)
    with services.api(environment, tmp_path) as running, httpx.Client(base_url=running.url, timeout=30) as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (503, "blobs")
        for headers in ({}, {"Idempotency-Key": "order-66"}, {"Idempotency-Key": "order-66"}):
            answer = client.post("/encode", content=smooth_file(8, 8), headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unfit-store")
            assert "If-None-Match" in answer.json()["detail"]
            assert "retry-after" not in answer.headers
        assert client.get("/jobs").json()["jobs"] == []
    assert _of_jobs(blobs) == before


def _of_jobs(blobs: S3BlobStore) -> list[str]:
    """What is stored of jobs; other tests use the same bucket."""
    return [name for folder in ("jobs/", "open/", "idempotency/") for name in blobs.list(folder)]


def test_A3_a_worker_ends_with_a_line(seaweedfs: services.S3, redis_url: str, tmp_path: Path) -> None:
    with (
        unfit_store(seaweedfs, "ignored") as store,
        services.process(
            "regrow.worker", {"REGROW_REDIS_URL": redis_url, **store.environment()}, tmp_path / "log"
        ) as worker,
    ):
        assert worker.wait(60) == 1
    said = (tmp_path / "log").read_text().splitlines()
    assert len(said) == 1
    assert said[0].startswith("regrow: the blob store does not do conditional writes")
