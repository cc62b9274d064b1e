"""The main job with the real stack: Valkey, SeaweedFS, two worker processes, the API, all separate processes."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from regrow.core.codec.decode import decode
from regrow.core.codec.encode import encode
from regrow.core.codec.fit.engines import make_engine
from regrow.core.codec.format.bundle import read_bundle
from regrow.core.codec.format.seeds.bundle import SeedsBundle
from regrow.core.codec.images import read_picture
from regrow.core.codec.presets import Preset
from regrow.core.codec.settings import EncodeSettings
from regrow.core.jobs.messages import QueueName
from regrow.core.jobs.model import FINAL_STATES
from tests import services
from tests.pictures import smooth_file, smooth_picture
from tests.services import wait_until

SIZES = [(40, 40), (41, 75), (30, 120)]
QUICK = {"preset": "micro", "effort": "draft"}


@pytest.fixture(scope="module")
def stack(redis_url: str, seaweedfs: services.S3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The same processes and environment variables as docker-compose.yml."""
    folder = tmp_path_factory.mktemp("stack")
    environment = {
        "REGROW_REDIS_URL": redis_url,
        "REGROW_BATCH_TIME": "PT1S",
        "REGROW_ENGINE": "numba",
        **seaweedfs.environment(),
    }
    with contextlib.ExitStack() as running:
        running.enter_context(services.process("regrow.sweeper", environment, folder / "sweeper.log"))
        for number in range(2):
            running.enter_context(services.process("regrow.worker", environment, folder / f"worker{number}.log"))
        server = running.enter_context(services.api(environment, folder))
        client = running.enter_context(httpx.Client(base_url=server.url, timeout=30))
        wait_until(lambda: len(client.get("/admin/workers").json()["workers"]) == 2, "two workers' start", 180)
        yield client


def _ended(client: httpx.Client, path: str) -> dict[str, Any] | None:
    job = client.get(path).raise_for_status().json()
    return job if job["state"] in FINAL_STATES else None


def test_three_images_at_once_come_back(stack: httpx.Client) -> None:
    files = [smooth_file(*size, seed=number) for number, size in enumerate(SIZES)]
    jobs = [stack.post("/encode", params=QUICK, content=data).raise_for_status().headers["location"] for data in files]
    wait_until(lambda: all(_ended(stack, job) for job in jobs), "the end of three jobs", seconds=240)
    for path, data, (height, width) in zip(jobs, files, SIZES, strict=True):
        job = _ended(stack, path)
        assert job is not None
        assert job["state"] == "succeeded", job["error"]
        answer = stack.get(job["links"]["picture"])
        assert answer.headers["content-type"] == "image/png"
        regrown = np.asarray(Image.open(io.BytesIO(answer.content)), dtype=np.float64)
        original = np.asarray(Image.open(io.BytesIO(data)), dtype=np.float64)
        assert regrown.shape == original.shape == (height, width, 3)
        psnr = 10 * math.log10(255**2 / np.mean((regrown - original) ** 2))
        assert job["psnr"] == pytest.approx(psnr, abs=0.01)
        assert psnr > 18
        bundle = stack.get(job["links"]["bundle"]).content
        assert len(bundle) == job["bytes"]
        np.testing.assert_array_equal(decode(bundle).picture.pixels, regrown)
        assert job["patches_done"] == job["patches_total"] == -(-height // 40) * -(-width // 40)
        assert job["progress"] == 1
        assert job["created_at"] <= job["started_at"] <= job["finished_at"]


def test_the_fleets_bytes_are_those_of_one_process(stack: httpx.Client) -> None:
    """Two workers and several batches, or one fit of all patches: the same bundle."""
    data = smooth_file(41, 75, seed=7)
    path = stack.post("/encode", params=QUICK, content=data).raise_for_status().headers["location"]
    wait_until(lambda: _ended(stack, path) is not None, "the end of the job", 120)
    alone = encode(read_picture(data), EncodeSettings(Preset.MICRO), engine=make_engine("numba"))
    assert stack.get(path + "/bundle").content == alone.bundle


def test_a_job_that_takes_too_long_fails_with_a_reason(stack: httpx.Client) -> None:
    """Effort paper takes many minutes a patch; the job says that it shall not."""
    options = {"effort": "paper", "seed": "pixel", "timeout": 4}
    path = stack.post("/encode", params=options, content=smooth_file(40, 40)).raise_for_status().headers["location"]
    wait_until(lambda: _ended(stack, path) is not None, "the end of the job")
    job = _ended(stack, path)
    assert job is not None
    assert (job["state"], job["error"]["type"]) == ("failed", "timeout")
    answer = stack.get(job["links"]["picture"])
    assert answer.status_code == 410
    assert answer.json()["type"] == "/problems/job-failed"


def test_pixel_seed_greyscale_and_alpha(stack: httpx.Client) -> None:
    pictures = {1: {"seed": "pixel", **QUICK}, 4: QUICK}
    paths = {}
    for channels, options in pictures.items():
        data = smooth_picture(20, 20, channels).to_png()
        paths[channels] = stack.post("/encode", params=options, content=data).raise_for_status().headers["location"]
    wait_until(lambda: all(_ended(stack, path) for path in paths.values()), "the end of two jobs", 120)
    for channels, path in paths.items():
        job = _ended(stack, path)
        assert job is not None
        assert job["state"] == "succeeded", job["error"]
        picture = Image.open(io.BytesIO(stack.get(job["links"]["picture"]).content))
        assert picture.mode == {1: "L", 4: "RGBA"}[channels]


def test_nothing_is_left_in_the_queue(stack: httpx.Client, redis_url: str) -> None:
    from redis import Redis

    with Redis.from_url(redis_url) as redis:
        wait_until(
            lambda: not redis.exists("unacked", *QueueName, "regrow:sent", "regrow:leases", "regrow:owners"),
            "its emptying",
        )


def test_targets_choose_presets_and_keep_to_bytes(stack: httpx.Client) -> None:
    """A PSNR to reach, a size to keep to, and a size that no bundle can have."""
    data = smooth_file(20, 50, seed=3)
    quality = (
        stack.post("/encode", params={"profile": "rules", "target_psnr": 24, "effort": "draft"}, content=data)
        .raise_for_status()
        .headers["location"]
    )
    size = (
        stack.post("/encode", params={"profile": "rules", "max_bytes": 260, "effort": "draft"}, content=data)
        .raise_for_status()
        .headers["location"]
    )
    for profile, few in (("rules", 20), ("seeds", 9)):
        refused = stack.post("/encode", params={"profile": profile, "max_bytes": few}, content=data)
        assert refused.json()["type"] == "/problems/budget-too-small"
    wait_until(lambda: _ended(stack, quality) and _ended(stack, size), "the end of two jobs", 240)
    jobs = [_ended(stack, path) for path in (quality, size)]
    assert [job and job["state"] for job in jobs] == ["succeeded", "succeeded"]
    assert [job and job["preset"] for job in jobs] == ["auto", "auto"]
    assert jobs[0] is not None
    assert jobs[0]["psnr"] >= 24
    assert jobs[1] is not None
    assert jobs[1]["bytes"] <= 260


@pytest.mark.parametrize(
    ("size", "channels", "options", "units"),
    [
        ((30, 50), 3, {}, 1),
        ((20, 20), 4, {"quality": 80, "effort": "draft"}, 1),
        ((1, 1), 1, {"profile": "seeds"}, 1),
        ((20, 300), 3, {}, 2),
        ((20, 300), 3, {"target_psnr": 24}, 1),
    ],
)
def test_what_asks_for_nothing_of_rules_is_made_of_seeds(
    stack: httpx.Client, size: tuple[int, int], channels: int, options: dict[str, Any], units: int
) -> None:
    picture = smooth_picture(*size, channels)
    path = stack.post("/encode", params=options, content=picture.to_png()).raise_for_status().headers["location"]
    wait_until(lambda: _ended(stack, path) is not None, "the end of the job", 120)
    job = _ended(stack, path)
    assert job is not None
    assert job["state"] == "succeeded", job["error"]
    assert (job["profile"], job["preset"], job["seed"], job["effort"]) == (
        *("seeds", None, None),
        options.get("effort", "standard"),
    )
    assert job["quality"] == (None if "target_psnr" in options else options.get("quality", 50))
    assert job["patches_done"] == job["patches_total"] == units
    data = stack.get(job["links"]["bundle"]).content
    bundle, grown = read_bundle(data), decode(data).picture
    assert isinstance(bundle, SeedsBundle)
    shown = np.asarray(Image.open(io.BytesIO(stack.get(job["links"]["picture"]).content))).reshape(grown.pixels.shape)
    np.testing.assert_array_equal(shown, grown.pixels)
    report = stack.get(job["links"]["report"]).json()
    assert (report["profile"], report["coder"], report["presets"]) == ("seeds", None, {})
    assert report["quantisation_step"] == 2 ** (-bundle.header.step / 256)
    assert report["patches"] == bundle.header.grid.count
    assert (report["psnr"], report["bytes"]) == (job["psnr"], len(data))


def test_seeds_of_the_fleet_are_those_of_one_process(stack: httpx.Client) -> None:
    data = smooth_file(20, 300, seed=7)
    path = stack.post("/encode", content=data).raise_for_status().headers["location"]
    wait_until(lambda: _ended(stack, path) is not None, "the end of the job", 120)
    assert stack.get(path + "/bundle").content == encode(read_picture(data)).bundle


def test_an_answer_can_be_waited_for(stack: httpx.Client) -> None:
    answer = stack.post("/encode", params=QUICK, content=smooth_file(30, 30), headers={"Prefer": "wait=60"}, timeout=90)
    assert (answer.status_code, answer.json()["state"]) == (200, "succeeded")
    report = stack.get(answer.json()["links"]["report"]).json()
    assert report["colours"] == "taken as sRGB"
    assert (report["psnr"], report["bytes"]) == (answer.json()["psnr"], answer.json()["bytes"])


def test_a_plain_byte_per_weight_is_the_papers_accounting(stack: httpx.Client) -> None:
    path = stack.post("/encode", params={"coder": "bytes", "effort": "draft"}, content=smooth_file(40, 40)).headers[
        "location"
    ]
    wait_until(lambda: _ended(stack, path) is not None, "the end of the job", 120)
    job = _ended(stack, path)
    assert job is not None
    assert job["bytes"] == 22 + 6 + 6 + 1140
