"""What clients do: cancel, retry, delete, send twice, send too much, take too long, come all at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.faults.fleet import Fleet
from tests.integration.faults.poison import poisoned_file
from tests.jobs import accept, backend_at, job_document
from tests.pictures import smooth_file
from tests.services import wait_until

FAULTY = "tests.integration.faults.faulty_worker"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(tmp_path) as fleet:
        fleet.start_sweeper()
        fleet.start_api()
        yield fleet


def _held_file() -> bytes:
    """A picture whose last patch waits, on a worker with the fault `wait`."""
    return poisoned_file(80, 80, patch=3)


@pytest.mark.parametrize("moment", ["queued", "fitting", "assembling"])
def test_F12_cancel(fleet: Fleet, moment: str) -> None:
    """F12: it stops within seconds, and nothing of its results is left; the worker is free."""
    mark = fleet.folder / "mark"
    fault = "slow-assembly" if moment == "assembling" else "wait"
    if moment != "queued":
        fleet.start_workers(1, FAULTY, REGROW_TEST_FAULT=fault, REGROW_TEST_MARK=str(mark))
    path = fleet.send(_held_file())
    fleet.wait_for_state(path, moment)
    answer = fleet.client.post(path + "/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert fleet.client.post(path + "/cancel").status_code == 200, "cancelling twice is no error"
    if moment == "assembling":
        mark.touch()
    if moment != "queued":
        wait_until(lambda: fleet.alive()[0].current is None, "a free worker", 5)
    wait_until(lambda: fleet.files(path) == ["job.json", "outcome.json", "source.png"], "results being gone", 5)
    assert fleet.client.get(path + "/bundle").status_code == 410
    assert fleet.job(path)["state"] == "cancelled"


def test_retry_and_delete(fleet: Fleet) -> None:
    fleet.start_workers(1, FAULTY)
    path = fleet.send(smooth_file(80, 80))
    assert fleet.wait_for_end(path)["state"] == "succeeded"
    answer = fleet.client.post(path + "/cancel")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/job-ended")
    answer = fleet.client.post(path + "/retry")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/job-not-retryable")
    assert fleet.client.delete(path).status_code == 204
    for again in (fleet.client.get(path), fleet.client.delete(path), fleet.client.get(path + "/bundle")):
        assert again.status_code == 404
    wait_until(lambda: fleet.files(path) == [], "the end of its files", 5)


def test_a_retry_goes_on_from_the_parts_of_a_job_that_failed(fleet: Fleet) -> None:
    (broken,) = fleet.start_workers(1, FAULTY, REGROW_TEST_FAULT="memory", REGROW_BATCH_TIME="PT0.001S")
    path = fleet.send(_held_file())
    assert fleet.wait_for_end(path)["state"] == "failed"
    kept = [name for name in fleet.files(path) if name.startswith("parts")]
    assert kept
    broken.terminate()
    broken.wait(20)
    fleet.start_workers(1, FAULTY)
    answer = fleet.client.post(path + "/retry")
    assert answer.status_code == 202
    assert answer.json()["patches_done"] == len(kept)
    assert answer.json()["error"] is None
    job = fleet.wait_for_end(path)
    assert job["state"] == "succeeded"
    assert job["attempts"] == job["patches_total"] - len(kept)


def test_deleting_a_job_on_the_way_stops_it(fleet: Fleet) -> None:
    mark = fleet.folder / "mark"
    fleet.start_workers(1, FAULTY, REGROW_TEST_FAULT="wait", REGROW_TEST_MARK=str(mark))
    path = fleet.send(_held_file())
    wait_until(lambda: bool(fleet.alive()[0].current), "a busy worker")
    assert fleet.client.delete(path).status_code == 204
    wait_until(lambda: fleet.alive()[0].current is None, "a free worker", 5)
    wait_until(lambda: fleet.files(path) == [], "the end of its files", 5)
    assert fleet.client.get(path).status_code == 404


def test_a_job_out_of_time_is_ended(fleet: Fleet) -> None:
    fleet.start_workers(1, FAULTY, REGROW_TEST_FAULT="wait", REGROW_TEST_MARK=str(fleet.folder / "mark"))
    path = fleet.send(_held_file(), timeout=2)
    waiting = fleet.send(_held_file(), timeout=2)
    for each in (path, waiting):
        job = fleet.wait_for_end(each, 20)
        assert (job["state"], job["error"]["type"]) == ("failed", "timeout")
    wait_until(lambda: fleet.alive()[0].current is None, "a free worker", 5)


def test_results_have_their_time(tmp_path: Path) -> None:
    """RESULT_TTL: the sweeper deletes the job whole; one that has not ended stays."""
    with Fleet(tmp_path, REGROW_RESULT_TTL="PT1S") as fleet:
        fleet.start_sweeper()
        fleet.start_api()
        held = fleet.send(smooth_file(8, 8))  # there is no worker yet
        assert fleet.job(held)["state"] == "queued"
        fleet.start_workers(1, FAULTY)
        wait_until(lambda: fleet.client.get(held).status_code == 404, "the job's deletion", 20)
        wait_until(lambda: fleet.files(held) == [], "the end of its files", 5)  # Redis forgets it first


def test_H8_one_key_makes_one_job(fleet: Fleet) -> None:
    """H8: the same request is answered with the same job; another with the same key is refused."""
    data, key = smooth_file(40, 40), {"Idempotency-Key": '"8e03978e-40d5"'}
    answers: list[httpx.Response] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(
                fleet.client.post("/encode?profile=rules&effort=draft", content=data, headers=key)
            )
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert all(answer.json()["type"].endswith("in-flight") for answer in answers if answer.status_code == 409)
    again = fleet.client.post("/encode?profile=rules&effort=draft", content=data, headers=key)
    assert again.status_code == 202
    assert again.headers["idempotency-replayed"] == "true"
    assert len({answer.json()["id"] for answer in [*answers, again] if answer.status_code == 202}) == 1
    for other in (
        fleet.client.post("/encode", content=smooth_file(40, 40, seed=1), headers=key),
        fleet.client.post("/encode", content=data, headers=key, params={"preset": "medium"}),
    ):
        assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert len(fleet.client.get("/jobs").json()["jobs"]) == 1
    assert fleet.client.post("/encode", content=b"", headers={"Idempotency-Key": "b"}).status_code == 415
    assert fleet.client.post("/encode", content=data, headers={"Idempotency-Key": "b"}).status_code == 202


def test_H4_too_many_patches_are_429(tmp_path: Path) -> None:
    """H4: counted in outstanding patches; accepted again when some are done."""
    with Fleet(tmp_path, REGROW_MAX_PATCHES_PER_OWNER="10") as fleet:
        fleet.start_sweeper()
        fleet.start_api()
        path = fleet.send(smooth_file(120, 120))
        answer = fleet.client.post("/encode?profile=rules", content=smooth_file(80, 80))
        assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-patches")
        assert int(answer.headers["retry-after"]) >= 1
        assert len(list((tmp_path / "blobs" / "jobs").iterdir())) == 1, "nothing of it is left"
        fleet.start_workers(1, FAULTY)
        fleet.wait_for_end(path)
        assert fleet.wait_for_end(fleet.send(smooth_file(80, 80)))["state"] == "succeeded"


def test_F14_two_hundred_jobs_at_once_from_eight_clients(fleet: Fleet) -> None:
    """F14: all end, none twice."""
    fleet.start_workers(2, FAULTY)
    files = [smooth_file(40, 40 + 40 * (number % 3), seed=number) for number in range(25)]
    paths: list[str] = []

    def client() -> None:
        with httpx.Client(base_url=str(fleet.client.base_url), timeout=60) as http:
            for data in files:
                paths.append(
                    http.post("/encode?profile=rules&effort=draft", content=data).raise_for_status().headers["location"]
                )

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(paths)) == 200
    for path in paths:
        fleet.wait_for_end(path, 180)
    jobs = fleet.client.get("/jobs?limit=200").json()["jobs"]
    assert Counter(job["state"] for job in jobs) == {"succeeded": 200}
    assert {f"/jobs/{job['id']}" for job in jobs} == set(paths)
    for job in jobs:
        assert job["patches_done"] == job["patches_total"]
        assert job["attempts"] <= job["patches_total"], "no batch was done twice"


def test_hundreds_of_patches_do_not_hold_up_anothers_thumbnail(tmp_path: Path) -> None:
    """Two owners, one worker: both progress, and the thumbnail is done long before the poster."""
    with Fleet(tmp_path, REGROW_BATCH_TIME="PT0.000001S") as fleet:  # a batch is a patch
        fleet.start_api()
        jobs = backend_at(fleet.redis_url, tmp_path / "blobs").jobs
        poster, thumbnail = (
            job_document(patches, owner=owner, patch_cost=1e9, height=40 * rows, width=40 * patches // rows)
            for patches, owner, rows in ((300, "ada", 10), (2, "bob", 1))
        )
        accept(jobs, poster, smooth_file(400, 1200))
        fleet.start_workers(1, FAULTY)
        wait_until(lambda: jobs.get(poster.id).patches_done > 20, "the poster being begun")
        before = jobs.get(poster.id).patches_done
        accept(jobs, thumbnail, smooth_file(40, 80))
        wait_until(lambda: jobs.get(thumbnail.id).state == "succeeded", "the thumbnail", 20)
        meanwhile = jobs.get(poster.id)
        assert meanwhile.state == "fitting", "the poster must be far from done"
        assert meanwhile.patches_done >= before
        wait_until(lambda: jobs.get(poster.id).state == "succeeded", "the poster", 240)
