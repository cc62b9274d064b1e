"""`/decode` and what belongs to a finished job, over HTTP: views, kinds, conditional requests, ranges, HEAD."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from regrow.api.app import create_app
from regrow.core.codec.decode import View, decode, decode_bundle
from regrow.core.codec.decode.animation import frames
from regrow.core.codec.format.bundle import read_bundle
from regrow.core.codec.images import Picture
from regrow.core.codec.rule import RuleShape
from regrow.core.jobs.documents import JobKeys
from regrow.core.jobs.lifecycle import Jobs
from tests.bundles import random_bundle, random_seeds_bundle
from tests.jobs import accept, backend_at, finish_fitting, job_document

DATA = random_bundle(90, 130)
WHOLE = decode(DATA).picture.pixels


@pytest.fixture(scope="module")
def jobs(redis_url: str, blob_folder: Path) -> Iterator[Jobs]:
    backend = backend_at(redis_url, blob_folder)
    yield backend.jobs
    backend.redis.close()


def _succeed(jobs: Jobs, data: bytes) -> str:
    """A job that has succeeded with this bundle; its id."""
    document = job_document(1)
    accept(jobs, document, Picture(WHOLE).to_png())
    finish_fitting(jobs, document.id)
    jobs.blobs.put(JobKeys(document.id).bundle, data)
    jobs.succeed(document.id, 30.0, len(data))
    return document.id


@pytest.fixture(scope="module")
def job_id(jobs: Jobs) -> str:
    return _succeed(jobs, DATA)


def _pixels(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


@pytest.mark.parametrize(("kind", "media"), [("png", "image/png"), ("webp", "image/webp"), ("jpg", "image/jpeg")])
def test_kinds(client: httpx.Client, job_id: str, kind: str, media: str) -> None:
    answer = client.get(f"/decode/{job_id}.{kind}")
    assert answer.headers["content-type"] == media
    difference = np.abs(_pixels(answer).astype(int) - WHOLE)
    assert difference.mean() < 4 if kind == "jpg" else difference.max() == 0


@pytest.mark.parametrize(
    ("crop", "part"),
    [
        ("0,0,130,90", np.s_[:, :]),
        ("39,39,2,2", np.s_[39:41, 39:41]),
        ("125,85,5,5", np.s_[85:90, 125:130]),
        ("41,0,30,90", np.s_[:, 41:71]),
        ("0,0,1,1", np.s_[:1, :1]),
    ],
)
@pytest.mark.parametrize("scale", [1, 2])
def test_crops_are_parts_of_the_whole(client: httpx.Client, job_id: str, crop: str, part: tuple, scale: int) -> None:
    found = _pixels(client.get(f"/decode/{job_id}.png", params={"crop": crop, "scale": scale}))
    assert (found[::scale, ::scale] == WHOLE[part]).all()
    assert found.shape[:2] == (WHOLE[part].shape[0] * scale, WHOLE[part].shape[1] * scale)


def test_steps_show_the_growth(client: httpx.Client, job_id: str) -> None:
    bundle = read_bundle(DATA)
    last = bundle.header.rollout.steps
    assert (_pixels(client.get(f"/decode/{job_id}.png?step=0")) == 128).all()
    middle = _pixels(client.get(f"/decode/{job_id}.png", params={"step": 2}))
    assert (middle == decode_bundle(bundle, View(step=2)).picture.pixels).all()
    assert (_pixels(client.get(f"/decode/{job_id}.png", params={"step": last})) == WHOLE).all()
    growth = Image.open(io.BytesIO(client.get(f"/decode/{job_id}.gif", params={"scale": 2}).content))
    assert (growth.size, growth.n_frames) == ((260, 180), last + 1)


def test_growth_as_webp_is_without_loss(client: httpx.Client, job_id: str) -> None:
    bundle = read_bundle(DATA)
    answer = client.get(f"/decode/{job_id}.webp", params={"animate": "true"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    growth = Image.open(io.BytesIO(answer.content))
    assert (growth.size, growth.n_frames) == ((130, 90), bundle.header.rollout.steps + 1)
    for step, picture in enumerate(frames(bundle)):
        growth.seek(step)
        assert (np.asarray(growth.convert("RGB")) == picture.pixels).all()
    part = client.get(f"/decode/{job_id}.webp", params={"animate": "true", "crop": "41,0,30,90", "scale": "2"})
    assert Image.open(io.BytesIO(part.content)).size == (60, 180)
    still = client.get(f"/decode/{job_id}.webp", params={"animate": "false"})
    assert Image.open(io.BytesIO(still.content)).n_frames == 1


@pytest.mark.parametrize(
    ("kind", "parameters"), [("png", {}), ("jpg", {}), ("webp", {"step": "1"}), ("webp", {"step": "0"})]
)
def test_what_cannot_be_animated_is_refused(
    client: httpx.Client, job_id: str, kind: str, parameters: dict[str, str]
) -> None:
    answer = client.get(f"/decode/{job_id}.{kind}", params={"animate": "true", **parameters})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-option")
    assert "animate" in answer.json()["detail"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"crop": "1,2,3"},
        {"crop": "a,b,c,d"},
        {"crop": "-1,0,5,5"},
        {"crop": "0,0,0,5"},
        {"crop": "0,0,131,90"},
        {"crop": "9" * 400 + ",0,1,1"},
        {"step": "-1"},
        {"step": "200"},
        {"scale": "0"},
        {"scale": "65"},
    ],
)
def test_views_that_are_not_there_are_refused(client: httpx.Client, job_id: str, parameters: dict[str, str]) -> None:
    answer = client.get(f"/decode/{job_id}.png", params=parameters)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-option")
    assert next(iter(parameters)) in answer.json()["detail"]


def test_a_view_is_not_made_larger_than_memory(client: httpx.Client, jobs: Jobs) -> None:
    large = _succeed(jobs, random_bundle(200, 200, shapes=(RuleShape(8, 8),)))
    answer = client.get(f"/decode/{large}.png", params={"scale": 64})
    assert answer.status_code == 422
    assert "scale" in answer.json()["detail"]


def test_negotiation(client: httpx.Client, job_id: str) -> None:
    for accepted, media in (("image/webp,*/*;q=0.8", "image/webp"), ("*/*", "image/png"), ("text/html", "image/png")):
        answer = client.get(f"/decode/{job_id}", headers={"Accept": accepted})
        assert answer.headers["content-type"] == media
        assert answer.headers["vary"] == "Accept"
        assert (_pixels(answer) == WHOLE).all()


def test_H11_what_a_client_has_is_not_sent_again(client: httpx.Client, job_id: str) -> None:
    """H11: strong ETags of bundle, decoder and options; 304 without a body."""
    paths = [
        f"/decode/{job_id}.png",
        f"/decode/{job_id}.webp",
        f"/decode/{job_id}.png?scale=2",
        f"/jobs/{job_id}/bundle",
    ]
    paths += [f"/decode/{job_id}.png?crop=0,0,9,9", f"/decode/{job_id}.gif", f"/jobs/{job_id}/source.png"]
    paths += [f"/decode/{job_id}.webp?animate=true", f"/decode/{job_id}.webp?animate=true&scale=2"]
    tags = {path: client.get(path).headers["etag"] for path in paths}
    assert len(set(tags.values())) == len(paths)
    for path, tag in tags.items():
        assert not tag.startswith("W/")
        for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            answer = client.get(path, headers={"If-None-Match": known})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


HEAD_PATHS = [
    path for path, operations in create_app().openapi()["paths"].items() if "get" in operations and "{" not in path
]
HEAD_PATHS += ["/jobs/{}", "/jobs/{}/bundle", "/jobs/{}/source.png", "/decode/{}.png", "/decode/{}", "/decode/{}.gif"]


@pytest.mark.parametrize("path", HEAD_PATHS)
def test_H11_head_is_get_without_a_body(client: httpx.Client, job_id: str, path: str) -> None:
    """H11"""
    head, get = (client.request(method, path.format(job_id)) for method in ("HEAD", "GET"))
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "etag"):
        if path != "/metrics" or name != "content-length":
            assert head.headers.get(name) == get.headers.get(name)


def test_what_has_no_end_has_no_head(client: httpx.Client, job_id: str) -> None:
    assert client.head(f"/jobs/{job_id}/events").status_code == 405


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=10-", 206, slice(10, None)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=5-99999999", 206, slice(5, None)),
        ("bytes=9-2", 200, slice(None)),
        ("bytes=0-1,4-5,7-", 200, slice(None)),
        ("bytes=" + ",".join(["0-"] * 2000), 200, slice(None)),
        ("pages=1-2", 200, slice(None)),
        ("bytes=-", 200, slice(None)),
    ],
)
def test_H11_ranges_of_a_bundle(client: httpx.Client, job_id: str, asked: str, status: int, part: slice) -> None:
    """H11: one range is served, many are answered with the whole, once."""
    answer = client.get(f"/jobs/{job_id}/bundle", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (status, DATA[part])
    assert answer.headers["accept-ranges"] == "bytes"
    if status == 206:
        start = range(len(DATA))[part].start
        assert answer.headers["content-range"] == f"bytes {start}-{start + len(answer.content) - 1}/{len(DATA)}"


def test_a_range_beyond_the_end(client: httpx.Client, job_id: str) -> None:
    answer = client.get(f"/jobs/{job_id}/bundle", headers={"Range": "bytes=99999999-"})
    assert (answer.status_code, answer.json()["type"]) == (416, "/problems/no-such-range")
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"
    stale = client.get(f"/jobs/{job_id}/bundle", headers={"Range": "bytes=0-1", "If-Range": '"older"'})
    assert (stale.status_code, stale.content) == (200, DATA)


def test_a_deleted_job_has_no_picture_however_well_it_is_cached(client: httpx.Client, jobs: Jobs) -> None:
    gone = _succeed(jobs, random_bundle(20, 20))
    tag = client.get(f"/decode/{gone}.png").headers["etag"]
    client.delete(f"/jobs/{gone}").raise_for_status()
    for path in (f"/decode/{gone}.png", f"/decode/{gone}", f"/decode/{gone}.gif", f"/jobs/{gone}/bundle"):
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 404


def test_many_at_once_get_the_same(client: httpx.Client, jobs: Jobs) -> None:
    fresh = _succeed(jobs, random_bundle(120, 120))
    answers: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: answers.append(client.get(f"/decode/{fresh}.png").content)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1


def test_the_source_is_what_was_sent(client: httpx.Client, job_id: str) -> None:
    assert (_pixels(client.get(f"/jobs/{job_id}/source.png")) == WHOLE).all()


def test_a_bundle_that_is_sent_along_is_regrown(client: httpx.Client) -> None:
    answer = client.post("/decode", content=DATA, params={"kind": "webp", "crop": "10,10,50,50"})
    assert answer.headers["content-type"] == "image/webp"
    assert (_pixels(answer) == WHOLE[10:60, 10:60]).all()


def test_a_picture_of_seeds_has_all_views(client: httpx.Client, jobs: Jobs) -> None:
    data = random_seeds_bundle(65, 71)
    bundle, whole, fresh = read_bundle(data), decode(data).picture.pixels, _succeed(jobs, data)
    assert (_pixels(client.get(f"/decode/{fresh}.png")) == whole).all()
    assert (_pixels(client.get(f"/decode/{fresh}.webp", params={"crop": "30,30,20,10"})) == whole[30:40, 30:50]).all()
    early = decode_bundle(bundle, View(step=5)).picture.pixels
    assert (_pixels(client.get(f"/decode/{fresh}.png", params={"step": 5})) == early).all()
    beyond = client.get(f"/decode/{fresh}.png", params={"step": bundle.header.steps + 1})
    assert (beyond.status_code, beyond.json()["type"]) == (422, "/problems/invalid-option")
    animation = Image.open(io.BytesIO(client.get(f"/decode/{fresh}.webp", params={"animate": True}).content))
    assert animation.n_frames > 2
    animation.seek(animation.n_frames - 1)
    assert (np.asarray(animation.convert("RGB")) == whole).all()
    assert client.get(f"/decode/{fresh}.gif").headers["content-type"] == "image/gif"
    assert (_pixels(client.post("/decode", content=data)) == whole).all()
    refused = client.post("/decode", content=data[:-1])
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/damaged-bundle")


@pytest.mark.parametrize(
    ("data", "status", "kind"),
    [
        pytest.param(b"", 415, "not-a-bundle", id="empty"),
        pytest.param(b"\x80\x04\x95" + bytes(50), 415, "not-a-bundle", id="B4-pickle"),
        pytest.param(DATA[:-1], 422, "damaged-bundle", id="B2-truncated"),
        pytest.param(DATA[:40] + bytes([DATA[40] ^ 1]) + DATA[41:], 422, "damaged-bundle", id="B1-flipped"),
        pytest.param(bytes(200_001), 413, "content-too-large", id="H1"),
    ],
)
def test_bad_bundles_are_refused(client: httpx.Client, data: bytes, status: int, kind: str) -> None:
    answer = client.post("/decode", content=data)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}")


def test_a_bundle_of_too_large_a_picture_is_refused(client: httpx.Client) -> None:
    answer = client.post("/decode", content=random_bundle(400, 400, shapes=(RuleShape(4, 1),)))
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/image-too-large")
