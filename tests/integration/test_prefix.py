"""D6: below a path of somebody else's address, whether the proxy takes the path off or not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from regrow.client import Client
from tests import services
from tests.archives import zip_of
from tests.pictures import smooth_file

PREFIX = "/tools/regrow"


@pytest.fixture(scope="module")
def http(redis_url: str, blob_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    environment = {
        "REGROW_REDIS_URL": redis_url,
        "REGROW_BLOB_FOLDER": str(blob_folder),
        "REGROW_ROOT_PATH": f"{PREFIX}/",
        "REGROW_MAX_BODY_BYTES": "100000",
        "REGROW_MAX_GROUP_BYTES": "200000",
    }
    with (
        services.api(environment, tmp_path_factory.mktemp("api")) as running,
        httpx.Client(base_url=running.url, timeout=30) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def behind(redis_url: str, blob_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Without the setting, and with a trusted proxy at 127.0.0.1."""
    environment = {
        "REGROW_REDIS_URL": redis_url,
        "REGROW_BLOB_FOLDER": str(blob_folder),
        "REGROW_TRUSTED_PROXIES": '["127.0.0.1"]',
    }
    with (
        services.api(environment, tmp_path_factory.mktemp("api")) as running,
        httpx.Client(base_url=running.url, timeout=30) as client,
    ):
        yield client


@pytest.mark.parametrize("asked", ["", PREFIX], ids=["taken-off", "left"])
def test_D6_what_answers_refer_to_is_below_the_prefix(http: httpx.Client, asked: str) -> None:
    """D6"""
    answer = http.post(f"{asked}/encode", content=smooth_file(8, 8))
    job = answer.json()
    assert answer.headers["location"] == f"{PREFIX}/jobs/{job['id']}"
    assert all(link.startswith(f"{PREFIX}/") for link in job["links"].values())
    assert http.get(answer.headers["location"]).json()["links"] == job["links"]
    assert http.get(f"{asked}/jobs").json()["jobs"][0]["links"] == job["links"]

    answer = http.post(f"{asked}/groups", content=zip_of({"a.png": smooth_file(8, 8)}))
    group = answer.json()
    assert answer.headers["location"] == group["links"]["self"] == f"{PREFIX}/groups/{group['id']}"
    assert group["items"][0]["picture"].startswith(f"{PREFIX}/decode/")
    http.post(f"{asked}/jobs/{job['id']}/cancel").raise_for_status()
    assert f'"self":"{PREFIX}/jobs/' in http.get(f"{asked}/jobs/{job['id']}/events").text
    assert http.post(f"{asked}/jobs/{job['id']}/retry").headers["location"] == f"{PREFIX}/jobs/{job['id']}"


@pytest.mark.parametrize("asked", ["", PREFIX], ids=["taken-off", "left"])
def test_D6_problems_refer_to_what_explains_them(http: httpx.Client, asked: str) -> None:
    refusals = [http.get(f"{asked}/jobs/{'0' * 32}"), http.get(f"{asked}/nowhere"), http.get(f"{asked}/jobs?stat=x")]
    kinds = [answer.json()["type"] for answer in refusals]
    assert [kind.rpartition("/")[2] for kind in kinds] == ["job-not-found", "not-found", "invalid-option"]
    listed = {kind["type"] for kind in http.get(f"{asked}/problems").json()}
    assert listed >= {kinds[0], kinds[2]}
    assert all(kind.startswith(f"{PREFIX}/problems/") for kind in [*kinds, *listed])
    assert http.get(kinds[0]).json()["type"] == kinds[0]


@pytest.mark.parametrize("page", ["admin", "docs"])
@pytest.mark.parametrize("asked", ["", PREFIX], ids=["taken-off", "left"])
def test_D6_pages_refer_to_what_is_beside_them(http: httpx.Client, asked: str, page: str) -> None:
    answer = http.get(f"{asked}/{page}")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    references = re.findall(r'(?:href|src)="([^"]+)"', answer.text)
    assert len(references) >= 3
    for reference in references:
        url = http.base_url.join(f"{asked}/{page}").join(reference)
        assert http.get(url).status_code == 200, reference
    scripts = (Path(__file__).parents[2] / "api/static" / f"{page}.js").read_text()
    assert not re.findall(r'["`]/[a-z]', scripts), "an address from the root"


def test_D6_the_document_says_where_it_is(http: httpx.Client) -> None:
    assert http.get(f"{PREFIX}/openapi.json").json()["servers"] == [{"url": PREFIX}]


def test_D6_limits_of_a_path_hold_below_the_prefix(http: httpx.Client) -> None:
    for asked in ("", PREFIX):
        assert http.post(f"{asked}/encode", content=bytes(150_000)).status_code == 413
        assert http.post(f"{asked}/groups", content=bytes(150_000)).status_code == 422
        assert http.post(f"{asked}/groups", content=bytes(250_000)).status_code == 413


def test_D6_the_client_follows_links(http: httpx.Client) -> None:
    with Client(f"{http.base_url}{PREFIX}") as client:
        job = client.submit(smooth_file(8, 8))
        assert client.fetch(job.links["source"]) == client.fetch(f"/jobs/{job.id}/source.png")


def test_D6_a_trusted_proxy_may_say_the_prefix(behind: httpx.Client) -> None:
    job = behind.post("/encode", content=smooth_file(8, 8), headers={"X-Forwarded-Prefix": "/a/b/"})
    assert job.headers["location"] == f"/a/b/jobs/{job.json()['id']}"
    assert behind.get("/static/admin.js", headers={"X-Forwarded-Prefix": "/a/b"}).status_code == 200
    for bad in ("//evil.example", "evil", "/a b", "/a?x", "https://evil.example", "/a/../b%2f"):
        job = behind.post("/encode", content=smooth_file(8, 8), headers={"X-Forwarded-Prefix": bad})
        assert job.headers["location"] == f"/jobs/{job.json()['id']}", bad


def test_D6_others_may_not(http: httpx.Client, client: httpx.Client) -> None:
    said = {"X-Forwarded-Prefix": "/evil"}
    assert client.post("/encode", content=smooth_file(8, 8), headers=said).headers["location"].startswith("/jobs/")
    assert http.post("/encode", content=smooth_file(8, 8), headers=said).headers["location"].startswith(PREFIX)
