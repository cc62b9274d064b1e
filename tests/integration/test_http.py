"""The HTTP API with a real Valkey and no worker: what is accepted, what is refused, and that refusals leave nothing."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from redis import Redis

from regrow.core.jobs.messages import PROTOCOL
from regrow.core.jobs.workers import WorkerRecord, WorkerRegistry
from regrow.core.stores.redis import connect
from regrow.core.version import VERSION
from tests.pictures import png_header_only, smooth_file


@pytest.fixture
def empty(redis_url: str, blob_folder: Path, client: httpx.Client):
    """Asserts afterwards that nothing was queued or stored."""
    client.get("/readyz")  # which leaves a key and a folder
    with Redis.from_url(redis_url) as redis:
        before = set(redis.scan_iter("regrow*"))
        files = set(blob_folder.rglob("*"))
        yield
        assert set(redis.scan_iter("regrow*")) == before
        assert set(blob_folder.rglob("*")) == files


def _assert_problem(answer: httpx.Response, status: int, kind: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["type"] == f"/problems/{kind}"
    assert body["detail"]
    assert "Traceback" not in answer.text


def test_an_image_is_accepted(client: httpx.Client) -> None:
    data = smooth_file(41, 75)
    answer = client.post("/encode", params={"preset": "medium"}, content=data, headers={"Content-Type": "image/png"})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/jobs/{job['id']}"
    assert int(answer.headers["retry-after"]) >= 1
    assert client.get(answer.headers["location"]).json() == job
    assert (job["state"], job["width"], job["height"], job["patches_total"]) == ("queued", 75, 41, 4)
    assert job["preset"] == "medium"
    assert job["psnr"] is None
    assert client.get("/jobs").json()["jobs"][0] == job
    for path in (f"/decode/{job['id']}.png", f"/jobs/{job['id']}/bundle"):
        answer = client.get(path)
        _assert_problem(answer, 409, "job-not-finished")
        assert "retry-after" in answer.headers


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (39, 41), (40, 40), (41, 41), (120, 120)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_I7_sizes_and_kinds_are_accepted(client: httpx.Client, size: tuple[int, int], kind: str) -> None:
    """I7"""
    answer = client.post("/encode", content=smooth_file(*size, kind))
    assert answer.status_code == 202
    assert (answer.json()["height"], answer.json()["width"]) == size


def test_multipart_with_form_fields(client: httpx.Client) -> None:
    answer = client.post(
        "/encode",
        params={"preset": "medium"},
        files={"image": ("../../x\0.png", smooth_file(8, 8), "image/png")},
        data={"effort": "standard"},
    )
    assert answer.status_code == 202, answer.text
    assert (answer.json()["preset"], answer.json()["effort"]) == ("medium", "standard")


@pytest.mark.parametrize(
    ("data", "status", "kind"),
    [
        pytest.param(b"", 415, "unsupported-image", id="I1-empty"),
        pytest.param(b"<html></html>", 415, "unsupported-image", id="I1-html"),
        pytest.param(b"GIF89a" + bytes(20), 415, "unsupported-image", id="I1-gif"),
        pytest.param(smooth_file(64, 64, "PNG")[:200], 422, "damaged-image", id="I2-png"),
        pytest.param(smooth_file(64, 64, "JPEG")[:700], 422, "damaged-image", id="I2-jpeg"),
        pytest.param(smooth_file(64, 64, "WEBP")[:200], 422, "damaged-image", id="I2-webp"),
        pytest.param(png_header_only(50_000, 50_000), 422, "image-too-large", id="I4-header"),
        pytest.param(png_header_only(12_000, 12_000), 422, "image-too-large", id="I4-warned"),
        pytest.param(smooth_file(400, 400), 422, "image-too-large", id="I4-pixels"),
        pytest.param(png_header_only(1, 0), 422, "damaged-image", id="I6"),
    ],
)
@pytest.mark.parametrize("multipart", [False, True])
@pytest.mark.usefixtures("empty")
def test_bad_images_are_refused_whole(
    client: httpx.Client, data: bytes, status: int, kind: str, multipart: bool
) -> None:
    answer = client.post("/encode", files={"image": data}) if multipart else client.post("/encode", content=data)
    _assert_problem(answer, status, kind)


@pytest.mark.usefixtures("empty")
def test_H1_a_body_over_the_limit_is_refused(client: httpx.Client) -> None:
    """H1: by Content-Length and chunked."""
    _assert_problem(client.post("/encode", content=bytes(200_001)), 413, "content-too-large")
    refused = client.post("/encode", content=bytes(200_001), headers={"X-Request-ID": "mine"})
    assert (refused.headers["x-request-id"], refused.headers["x-content-type-options"]) == ("mine", "nosniff")
    chunks = (bytes(50_000) for _ in range(5))
    _assert_problem(client.post("/encode", content=chunks), 413, "content-too-large")


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize(
    "parameters",
    [
        {"preset": "gigantic"},
        {"target_psnr": "99"},
        pytest.param({"preset": "small", "target_psnr": "30"}, id="E8"),
        pytest.param({"preset": "small", "max_bytes": "300"}, id="E8-bytes"),
        {"preset": "small", "profile": "seeds"},
        {"effort": "paper", "profile": "seeds"},
        {"quality": "50", "profile": "rules"},
        {"quality": "50", "preset": "small"},
        {"quality": "50", "target_psnr": "30"},
        {"quality": "101"},
        {"profile": "gnca"},
        {"max_bytes": "0"},
        {"max_bytes": "9" * 400},
        {"seed_number": "-1"},
        {"colour": "red"},
    ],
)
def test_bad_options_are_named(client: httpx.Client, parameters: dict[str, str]) -> None:
    for answer in (
        client.post("/encode", params=parameters, content=smooth_file(8, 8)),
        client.post("/encode", data=parameters, files={"image": smooth_file(8, 8)}),
    ):
        _assert_problem(answer, 422, "invalid-option")
        name, *_ = parameters
        assert answer.json()["errors"][0]["field"] == name


@pytest.mark.usefixtures("empty")
def test_a_form_without_a_file_is_refused(client: httpx.Client) -> None:
    answer = client.post("/encode", files={"image": (None, "text")})
    _assert_problem(answer, 415, "unsupported-image")


@pytest.mark.parametrize("job_id", ["0" * 32, "nothing", "..%2f..%2fetc", "Z" * 32])
def test_unknown_jobs_are_404(client: httpx.Client, job_id: str) -> None:
    for path in (f"/jobs/{job_id}", f"/jobs/{job_id}/bundle", f"/decode/{job_id}.png"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_frameworks_own_errors_are_problems_too(client: httpx.Client) -> None:
    _assert_problem(client.get("/nowhere"), 404, "not-found")
    _assert_problem(client.put("/encode"), 405, "method-not-allowed")
    _assert_problem(client.get("/jobs", params={"limit": "many"}), 422, "invalid-option")


def test_health_and_documentation(client: httpx.Client) -> None:
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 200
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/encode", "/jobs/{id}", "/decode/{id}.{kind}", "/jobs/{id}/bundle", "/livez", "/readyz"} <= set(paths)
    assert client.get("/docs").status_code == 200
    assert client.get("/redoc").status_code == 404


def test_answers_carry_security_headers(client: httpx.Client) -> None:
    for path in ("/jobs", "/admin", "/nowhere"):
        assert client.get(path).headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in client.get("/admin").headers["content-security-policy"]


@pytest.mark.usefixtures("empty")
def test_workers_of_another_release_are_named(client: httpx.Client, redis_url: str) -> None:
    """Where nobody would understand a job, none is accepted."""
    with connect(redis_url) as redis:
        registry = WorkerRegistry(redis)
        record = {"host": "h", "pid": 1, "device": "cpu", "engine": "numba"}
        registry.report(WorkerRecord(id="old", version="0.0.9", protocol=PROTOCOL - 1, **record), expires_after=60)
        answer = client.post("/encode", content=smooth_file(8, 8))
        _assert_problem(answer, 503, "version-skew")
        assert "0.0.9" in answer.json()["detail"]
        assert client.get("/readyz").json()["errors"][0]["field"] == "workers"
        registry.report(WorkerRecord(id="new", version=VERSION, **record), expires_after=60)
        assert client.get("/readyz").status_code == 200, "during an upgrade there are both"
        registry.remove("old")
        registry.remove("new")


@pytest.mark.usefixtures("empty")
def test_E10_that_jobs_would_wait_is_a_warning(client: httpx.Client, redis_url: str) -> None:
    """The API is well, and stays behind its load balancer."""
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    (warning,) = answer.json()["warnings"]
    assert (warning["field"], warning["message"].partition(":")[0]) == ("workers", "no worker is alive")
    with connect(redis_url) as redis:
        registry = WorkerRegistry(redis)
        record = WorkerRecord(id="idle", host="h", pid=1, device="cpu", engine="numba", version=VERSION)
        registry.report(record.model_copy(update={"refused": "its store is unfit"}), expires_after=60)
        assert client.get("/readyz").json()["warnings"][0]["message"] == "no worker takes work: its store is unfit"
        registry.report(record, expires_after=60)
        assert client.get("/readyz").json() == {"status": "ok", "warnings": []}
        registry.remove("idle")


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "ümlaut".encode("latin-1")])
def test_bad_idempotency_keys_are_refused(client: httpx.Client, key: str | bytes) -> None:
    headers: list[tuple[bytes | str, bytes | str]] = [("Idempotency-Key", key)]
    answer = client.post("/encode", content=smooth_file(8, 8), headers=headers)  # type: ignore[arg-type]
    _assert_problem(answer, 422, "invalid-option")
    assert "idempotency-key" in answer.json()["errors"][0]["field"].lower()


@pytest.mark.parametrize("path", ["/cancel", "/retry", ""])
def test_an_unknown_job_cannot_be_ended(client: httpx.Client, path: str) -> None:
    answer = client.request("POST" if path else "DELETE", f"/jobs/{'0' * 32}{path}")
    _assert_problem(answer, 404, "job-not-found")


@pytest.mark.parametrize(
    "parameters", [{"priority": "urgent"}, {"timeout": "0"}, {"timeout": "nan"}, {"on_failure": "pray"}]
)
def test_bad_job_options_are_named(client: httpx.Client, parameters: dict[str, str]) -> None:
    answer = client.post("/encode", params=parameters, content=smooth_file(8, 8))
    _assert_problem(answer, 422, "invalid-option")
    assert answer.json()["errors"][0]["field"] == next(iter(parameters))


def test_pages_and_states(client: httpx.Client) -> None:
    """Cursors: every job once, newest first, even if the page's last is deleted meanwhile."""
    mine = [client.post("/encode", content=smooth_file(8, 8)).json()["id"] for _ in range(5)]
    client.post(f"/jobs/{mine[1]}/cancel").raise_for_status()
    found, cursor = [], None
    while True:
        body = client.get("/jobs", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        found += [job["id"] for job in body["jobs"]]
        cursor = body["next"]
        if cursor is None:
            break
    assert found[:5] == mine[::-1]
    assert len(set(found)) == len(found)
    cancelled = client.get("/jobs", params={"state": ["cancelled", "failed"], "limit": 200}).json()["jobs"]
    assert mine[1] in [job["id"] for job in cancelled]
    assert {job["state"] for job in cancelled} == {"cancelled"}
    page = client.get("/jobs", params={"limit": 2}).json()
    client.delete(f"/jobs/{page['next']}").raise_for_status()
    after = client.get("/jobs", params={"limit": 2, "cursor": page["next"]}).json()["jobs"]
    assert [job["id"] for job in after] == mine[::-1][2:4]
    _assert_problem(client.get("/jobs", params={"cursor": "../x"}), 422, "invalid-option")
    _assert_problem(client.get("/jobs", params={"state": "lost"}), 422, "invalid-option")


def test_waiting_is_bounded(client: httpx.Client) -> None:
    """Prefer: wait; there is no worker, so nothing ends."""
    answer = client.post("/encode", content=smooth_file(8, 8), headers={"Prefer": "respond-async, wait=1"})
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    assert answer.headers["preference-applied"] == "wait=1"
    assert answer.elapsed.total_seconds() >= 1
    answer = client.post("/encode", content=smooth_file(8, 8), headers={"Prefer": "waiting=9"})
    assert "preference-applied" not in answer.headers
