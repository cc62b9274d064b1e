"""Redis or the blob store away: 503 that says what to do, nothing half-accepted."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests import services
from tests.pictures import smooth_file


@pytest.fixture(params=["redis", "blobs"])
def crippled(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str):
    """A client of an API of which one dependency is down."""
    environment = {"REGROW_REDIS_URL": redis_url, "REGROW_BLOB_FOLDER": str(tmp_path / "blobs")}
    if request.param == "redis":
        environment["REGROW_REDIS_URL"] = f"redis://127.0.0.1:{services.free_ports(1)[0]}/0"
    else:
        (tmp_path / "blobs").write_bytes(b"a file where the folder should be")
    with services.api(environment, tmp_path) as running, httpx.Client(base_url=running.url, timeout=30) as client:
        yield client


def test_503_and_nothing_left_behind(crippled: httpx.Client, tmp_path: Path) -> None:
    for answer in (crippled.post("/encode", content=smooth_file(8, 8)), crippled.get("/readyz")):
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert "retry-after" in answer.headers
    assert crippled.get("/livez").status_code == 200
    assert not [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
