"""Many images in one request, over HTTP, with a real Valkey."""

from __future__ import annotations

import contextlib
import csv
import io
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from regrow.api.submit.concurrency import Slots
from regrow.core.errors import TooManyRequests
from regrow.core.jobs.lifecycle import Jobs
from regrow.core.stores.redis import connect
from tests import services
from tests.archives import encrypted_zip, zip_of
from tests.bundles import random_bundle
from tests.jobs import backend_at, finish_fitting
from tests.pictures import png_header_only, smooth_file
from tests.services import wait_until

GOOD = {f"{number}.png": smooth_file(8 + number, 60, seed=number) for number in range(3)}


@pytest.fixture
def jobs(redis_url: str, blob_folder: Path) -> Iterator[Jobs]:
    backend = backend_at(redis_url, blob_folder)
    yield backend.jobs
    backend.redis.close()


def _succeed(jobs: Jobs, job_id: str) -> None:
    """As a worker would have."""
    from regrow.core.jobs.documents import JobKeys

    data = random_bundle(8, 60)
    jobs.blobs.put(JobKeys(job_id).bundle, data)
    finish_fitting(jobs, job_id)
    jobs.succeed(job_id, 30.0, len(data))


@pytest.mark.parametrize("way", ["multipart", "zip", "zip in a form"])
def test_each_image_becomes_a_job(client: httpx.Client, way: str) -> None:
    if way == "multipart":
        files = [("images", (name, data)) for name, data in GOOD.items()]
        answer = client.post("/groups", files=files, data={"preset": "tiny"})
    elif way == "zip":
        answer = client.post("/groups", content=zip_of(GOOD), params={"preset": "tiny"})
    else:
        answer = client.post("/groups", files={"archive": zip_of(GOOD)}, params={"preset": "tiny"})
    assert answer.status_code == 202, answer.text
    group = answer.json()
    assert answer.headers["location"] == f"/groups/{group['id']}"
    assert "retry-after" in answer.headers
    assert [item["name"] for item in group["items"]] == list(GOOD)
    assert (group["images"], group["refused"], group["states"]) == (3, 0, {"queued": 3})
    assert group["patches_total"] == 6
    for item in group["items"]:
        job = client.get(f"/jobs/{item['job']}").json()
        assert (job["group"], job["preset"]) == (group["id"], "tiny")
    assert client.get(answer.headers["location"]).json() == group


def test_refusals_are_told_per_image(client: httpx.Client) -> None:
    files = {
        "good.png": GOOD["0.png"],
        "notes.txt": b"hello",
        "cut.png": smooth_file(64, 64)[:200],
        "huge.png": png_header_only(50_000, 50_000),
        "../../evil.png": GOOD["1.png"],
    }
    group = client.post("/groups", content=zip_of(files)).raise_for_status().json()
    found = {item["name"]: item["error"] and item["error"]["type"] for item in group["items"]}
    assert found == {
        "good.png": None,
        "notes.txt": "unsupported-image",
        "cut.png": "damaged-image",
        "huge.png": "image-too-large",
        "../../evil.png": None,
    }
    assert (group["images"], group["refused"]) == (5, 3)


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        pytest.param(b"", 422, "no-image-accepted", id="empty"),
        pytest.param(b"no image", 422, "no-image-accepted", id="text"),
        pytest.param(zip_of({}), 422, "no-image-accepted", id="empty-zip"),
        pytest.param(zip_of({"a": b"x", "b": b"y"}), 422, "no-image-accepted", id="no-images"),
        pytest.param(encrypted_zip("a.png", GOOD["0.png"]), 422, "no-image-accepted", id="encrypted"),
        pytest.param(zip_of(GOOD)[:-30], 422, "damaged-image", id="truncated"),
        pytest.param(zip_of({str(n): b"" for n in range(1001)}), 422, "image-too-large", id="too-many"),
    ],
)
def test_where_nothing_is_accepted_nothing_is_left(
    client: httpx.Client, blob_folder: Path, body: bytes, status: int, kind: str
) -> None:
    before = set(blob_folder.rglob("*"))
    answer = client.post("/groups", content=body, headers={"Idempotency-Key": kind})
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}")
    assert {path for path in set(blob_folder.rglob("*")) - before if path.is_file()} == set()


def test_the_same_request_makes_one_group(client: httpx.Client) -> None:
    """H8, for groups."""
    key = {"Idempotency-Key": "many"}
    archive = zip_of(GOOD)  # which holds the time
    first = client.post("/groups", content=archive, headers=key)
    again = client.post("/groups", content=archive, headers=key)
    assert (first.status_code, again.status_code) == (202, 202), again.text
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"
    other = client.post("/groups", content=zip_of({"a.png": GOOD["0.png"]}), headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    single = client.post("/encode", content=GOOD["0.png"], headers=key)
    assert single.status_code == 202, "an image of its own has keys of its own"


def test_one_progress_and_a_manifest(client: httpx.Client, jobs: Jobs) -> None:
    files = {"=cmd.png": GOOD["0.png"], "b.png": GOOD["1.png"], "c.png": GOOD["2.png"], "bad": b"x"}
    group = client.post("/groups", content=zip_of(files)).json()
    path = group["links"]["self"]
    first, second, third = (item["job"] for item in group["items"] if item["job"])
    _succeed(jobs, first)
    now = client.get(path).json()
    assert (now["ended"], now["states"]) == (False, {"queued": 2, "succeeded": 1})
    assert now["progress"] == pytest.approx(1 / 3)
    client.post(f"/jobs/{second}/cancel").raise_for_status()
    client.delete(f"/jobs/{third}").raise_for_status()
    now = client.get(path).json()
    assert (now["ended"], now["states"]) == (True, {"succeeded": 1, "cancelled": 1})
    manifest = client.get(f"{path}/manifest.json")
    assert "attachment" in manifest.headers["content-disposition"]
    rows = manifest.json()["images"]
    assert [row["state"] for row in rows] == ["succeeded", "cancelled", None, None]
    assert client.get(rows[0]["bundle"]).status_code == 200
    assert client.get(rows[0]["picture"]).status_code == 200
    assert rows[3]["error"]
    text = client.get(f"{path}/manifest.csv").content
    assert text.startswith(b"\xef\xbb\xbf"), "D7: without it, Excel garbles accents"
    table = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))
    assert [row["name"] for row in table] == ["'=cmd.png", "b.png", "c.png", "bad"]
    assert table[0]["psnr"] == "30.0"
    assert client.get(f"{path}/manifest.xls").status_code == 422


def test_a_group_is_cancelled_and_deleted_as_one(client: httpx.Client) -> None:
    group = client.post("/groups", content=zip_of(GOOD)).json()
    path = group["links"]["self"]
    assert client.post(f"{path}/cancel").json()["states"] == {"cancelled": 3}
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.get(f"/jobs/{group['items'][0]['job']}").status_code == 404
    assert client.delete(path).json()["type"] == "/problems/group-not-found"


def test_H4_a_group_beyond_the_quota_is_told_per_image(redis_url: str, tmp_path: Path) -> None:
    """H4"""
    environment = {"REGROW_REDIS_URL": redis_url, "REGROW_BLOB_FOLDER": str(tmp_path / "blobs")}
    with connect(redis_url) as redis:
        redis.flushall()
    with services.api(environment | {"REGROW_MAX_PATCHES_PER_OWNER": "3"}, tmp_path) as running:
        group = httpx.post(f"{running.url}/groups?profile=rules", content=zip_of(GOOD)).json()
        assert [item["error"] and item["error"]["type"] for item in group["items"]] == [
            None,
            "too-many-patches",
            "too-many-patches",
        ]
        refused = httpx.post(f"{running.url}/groups?profile=rules", content=zip_of(GOOD))
        assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-patches")
        assert "retry-after" in refused.headers


def test_H1_a_group_may_be_larger_than_an_image(client: httpx.Client) -> None:
    """H1: it has a limit of its own."""
    noise = {f"{n}.png": smooth_file(250, 250, compress_level=0, seed=n) for n in range(2)}
    body = zip_of(noise, compression=0)
    assert len(body) > 200_000, "more than the limit of a single upload here"
    assert client.post("/groups", content=body).status_code == 202
    assert client.post("/encode", content=body).status_code == 413


def test_the_limit_is_for_all_archives_of_a_request_together(redis_url: str, tmp_path: Path) -> None:
    environment = {"REGROW_REDIS_URL": redis_url, "REGROW_BLOB_FOLDER": str(tmp_path / "blobs")}
    data = smooth_file(100, 100, compress_level=0)
    with services.api(environment | {"REGROW_MAX_GROUP_BYTES": str(3 * len(data))}, tmp_path) as running:
        archive = zip_of({"a.png": data, "b.png": data})
        assert httpx.post(f"{running.url}/groups", files=[("images", archive)]).status_code == 202
        jobs = len(httpx.get(f"{running.url}/jobs").json()["jobs"])
        refused = httpx.post(f"{running.url}/groups", files=[("images", archive), ("images", archive)])
        assert (refused.status_code, refused.json()["type"]) in ((422, "/problems/image-too-large"),)
        assert len(httpx.get(f"{running.url}/jobs").json()["jobs"]) == jobs, "what had been made of it is gone"


def test_a_group_counts_from_its_first_byte(client: httpx.Client) -> None:
    """Whoever sends two slowly sends no third."""
    body = b"not an archive"
    head = f"POST /groups HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            slow = stack.enter_context(socket.create_connection((client.base_url.host, client.base_url.port or 80)))
            slow.sendall(head.encode() + body[:5])
        refused = lambda: client.post("/groups", content=body).status_code == 429  # noqa: E731
        wait_until(refused, "the refusal of a third", 5)
    wait_until(lambda: client.post("/groups", content=body).status_code == 422, "room again", 5)


def test_groups_of_one_owner_take_turns() -> None:
    slots = Slots()
    with slots.group_of("alice"), slots.group_of("alice"), slots.group_of("bob"):
        with pytest.raises(TooManyRequests), slots.group_of("alice"):
            pass
        with slots.group_of("bob"):
            pass
    with slots.group_of("alice"):
        pass
