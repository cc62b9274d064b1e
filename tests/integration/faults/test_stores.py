"""Valkey and the blob store killed, emptied, slow, full; and what clients see of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.settings import EncodeSettings
from regrow.core.jobs.messages import QueueName
from tests import services
from tests.integration.faults.fleet import Fleet, kill
from tests.integration.faults.poison import poisoned_file
from tests.integration.faults.proxy import FaultyProxy
from tests.integration.faults.reference import undisturbed
from tests.pictures import image_file, smooth_file
from tests.services import wait_until

FAULTY = "tests.integration.faults.faulty_worker"
FAULTY_API = "tests.integration.faults.faulty_api"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(tmp_path) as fleet:
        yield fleet


def _problem_within_two_seconds(answer: httpx.Response, word: str) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert word in answer.json()["detail"]
    assert "retry-after" in answer.headers
    assert answer.elapsed.total_seconds() < 2


def test_F3_a_killed_broker_comes_back_with_its_queue(fleet: Fleet) -> None:
    """F3: workers, sweeper and API go on without help; meanwhile the API says 503, quickly, and /readyz why."""
    fleet.start_sweeper()
    fleet.start_api()
    workers = fleet.start_workers(2)
    data = smooth_file(80, 80)
    path = fleet.send(data, preset="micro", effort="standard")
    wait_until(lambda: fleet.job(path)["progress"] > 0, "the start of the job", 120)
    kill(fleet.broker)
    for answer in (fleet.client.get("/readyz"), fleet.client.get(path), fleet.client.post("/encode", content=data)):
        _problem_within_two_seconds(answer, "Redis")
    assert fleet.client.get("/readyz").json()["errors"][0]["field"] == "redis"
    fleet.start_broker()
    wait_until(lambda: fleet.client.get("/readyz").status_code == 200, "readiness", 10)
    job = fleet.wait_for_end(path)
    assert job["state"] == "succeeded", job["error"]
    assert fleet.bundle(path) == undisturbed(data, EncodeSettings(Preset.MICRO, Effort.STANDARD))
    assert [worker.poll() for worker in workers] == [None, None]
    assert fleet.wait_for_end(fleet.send(smooth_file(8, 8), preset="micro"))["state"] == "succeeded"


def test_F4_a_flushed_redis_is_rebuilt_from_the_blob_store(fleet: Fleet) -> None:
    """F4: a job on the way, one that waits, one that has ended and one that failed."""
    fleet.start_sweeper()
    fleet.start_api()
    mark = fleet.folder / "mark"
    settings = {"REGROW_TEST_FAULT": "wait", "REGROW_TEST_MARK": str(mark), "REGROW_BATCH_TIME": "PT0.1S"}
    fleet.start_workers(1, FAULTY, **settings)
    ended = fleet.send(smooth_file(80, 80))
    fleet.wait_for_end(ended)
    cancelled = fleet.send(poisoned_file(80, 80, patch=3))
    fleet.client.post(cancelled + "/cancel").raise_for_status()
    before = {path: fleet.job(path) for path in (ended, cancelled)}
    held = fleet.send(poisoned_file(80, 80, patch=3))
    wait_until(lambda: bool(fleet.alive()[0].current), "a busy worker")
    waiting = fleet.send(smooth_file(40, 40))
    fleet.redis.flushall()
    mark.touch()
    for path in (held, waiting):
        assert fleet.wait_for_end(path)["state"] == "succeeded"
    for path, job in before.items():
        after = fleet.job(path)
        same = ("state", "psnr", "bytes", "width", "created_at", "finished_at", "patches_total", "error")
        assert {name: after[name] for name in same} == {name: job[name] for name in same}
    assert fleet.client.get(f"/decode/{ended.rpartition('/')[2]}.png").status_code == 200


@pytest.mark.parametrize("fault", ["refuse", "answer-500", "hang"])
@pytest.mark.parametrize("moment", ["part", "assembly"])
def test_F7_a_blob_store_in_trouble(tmp_path: Path, seaweedfs: services.S3, fault: str, moment: str) -> None:
    """F7: what is written is retried; no bundle is visible before it is whole; nothing is done twice over."""
    mark = tmp_path / "mark"
    kind = "wait" if moment == "part" else "slow-assembly"
    with (
        FaultyProxy(seaweedfs.endpoint) as proxy,
        Fleet(tmp_path, seaweedfs.at(proxy.url), REGROW_S3_TIMEOUT="PT1S", REGROW_S3_ATTEMPTS="1") as fleet,
    ):
        fleet.start_sweeper()
        fleet.start_api()
        fleet.start_workers(1, FAULTY, REGROW_TEST_FAULT=kind, REGROW_TEST_MARK=str(mark))
        path = fleet.send(poisoned_file(80, 80, patch=3))
        if moment == "part":
            wait_until(lambda: bool(fleet.alive()[0].current), "a busy worker")
        else:
            fleet.wait_for_state(path, "assembling")
        seen = proxy.break_down(fault)
        mark.touch()
        wait_until(lambda: "trying again" in fleet.log(FAULTY) or "resting" in fleet.log(FAULTY), "a write failing", 60)
        assert fleet.job(path)["state"] in ("fitting", "assembling")
        answer = fleet.client.get("/readyz")
        if fault != "hang":
            _problem_within_two_seconds(answer, "blob store")
        assert answer.json()["errors"][0]["field"] == "blobs"
        assert seen() > 0
        proxy.recover()
        job = fleet.wait_for_end(path, 60)
        assert job["state"] == "succeeded", job["error"]
        assert len(fleet.bundle(path)) == job["bytes"]
        wait_until(lambda: fleet.client.get("/readyz").status_code == 200, "readiness", 10)


@pytest.mark.parametrize("moment", ["die-before-redis", "die-before-message"])
def test_F9_an_api_that_dies_in_the_middle_of_a_submission(fleet: Fleet, moment: str) -> None:
    """F9: the job is taken up, and the client's retry with its key makes no second one."""
    data, key = smooth_file(40, 40), {"Idempotency-Key": "order-66"}
    fleet.start_sweeper()
    fleet.start_workers(1, FAULTY)
    fleet.start_api(FAULTY_API, REGROW_TEST_FAULT=moment)
    with pytest.raises(httpx.HTTPError):
        fleet.client.post("/encode", content=data, headers=key)
    fleet.api.wait(10)
    fleet.start_api()
    wait_until(lambda: len(fleet.client.get("/jobs").json()["jobs"]) == 1, "the job being taken up", 20)
    answer = fleet.client.post("/encode", content=data, headers=key)
    assert answer.status_code == 202
    assert answer.headers["idempotency-replayed"] == "true"
    assert fleet.wait_for_end(answer.headers["location"])["state"] == "succeeded"
    assert len(fleet.client.get("/jobs").json()["jobs"]) == 1


def test_F10_a_full_disk(fleet: Fleet) -> None:
    """F10: 507, nothing left behind, and all is well again with room for it."""
    import numpy as np
    from PIL import Image

    fleet.start_sweeper()
    fleet.start_workers(1, FAULTY)
    fleet.start_api(FAULTY_API, REGROW_TEST_FAULT="disk-full")
    noise = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8)
    answer = fleet.client.post("/encode", content=image_file(Image.fromarray(noise)))
    assert answer.status_code == 507, answer.text
    assert answer.json()["type"] == "/problems/storage-full"
    assert [each for each in (fleet.folder / "blobs").rglob("*") if each.is_file()] == []
    assert fleet.client.get("/jobs").json()["jobs"] == []
    assert fleet.wait_for_end(fleet.send(smooth_file(8, 8)))["state"] == "succeeded"


def test_redis_remembers_little_of_a_job_that_has_ended(fleet: Fleet) -> None:
    """Within the lease, everything but its hash is gone, and its events soon will be; no message is left over."""
    fleet.start_sweeper()
    fleet.start_api()
    fleet.start_workers(1, FAULTY, REGROW_BATCH_TIME="PT0.1S")
    path = fleet.send(smooth_file(200, 200))
    fleet.wait_for_end(path)
    job_id = path.rpartition("/")[2]

    own = {f"regrow:job:{job_id}", f"regrow:events:{job_id}"}

    def little() -> bool:
        keys = {str(key) for key in fleet.redis.scan_iter("*")}
        return {key for key in keys if job_id in key} <= own and not (
            keys & {*QueueName, "unacked", "regrow:sent", "regrow:leases", "regrow:owners", "regrow:outstanding"}
        )

    wait_until(little, "Redis being freed", 10)
    assert fleet.redis.ttl(f"regrow:events:{job_id}") in range(-2, 31)
    assert fleet.redis.memory_usage(f"regrow:job:{job_id}") < 2000
