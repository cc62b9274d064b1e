"""Workers that are killed, stopped, paused, poisoned, or live in another time."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.settings import EncodeSettings
from tests.integration.faults.fleet import Fleet, kill
from tests.integration.faults.poison import poisoned_file
from tests.integration.faults.reference import undisturbed
from tests.pictures import smooth_file
from tests.processes import Child
from tests.services import wait_until

FAULTY = "tests.integration.faults.faulty_worker"
KILLS = 20
MICRO, TINY = (EncodeSettings(preset, Effort.STANDARD) for preset in (Preset.MICRO, Preset.TINY))
"""Of patches that take two seconds and five: long enough to be disturbed."""


def _options(settings: EncodeSettings) -> dict[str, str]:
    return {"preset": settings.preset, "effort": settings.effort}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(tmp_path) as fleet:
        fleet.start_sweeper()
        fleet.start_api()
        yield fleet


@pytest.mark.timeout(600)
def test_F1_twenty_kills_lose_and_double_nothing(fleet: Fleet) -> None:
    """F1: a worker in the middle of a batch is killed, twenty times; the bundles are those of an undisturbed run."""
    fleet.environment["REGROW_LEASE"] = "PT3S"  # so that only kills, and no noise of the machine, end one
    fleet.environment["REGROW_CHECKPOINT_TIME"] = "PT0.1S"  # these batches take a second, others half a minute
    rng = random.Random(1)
    workers = fleet.start_workers(2)
    data = [smooth_file(40, 120, seed=number) for number in range(2)]
    expected = [undisturbed(each, MICRO) for each in data]
    sent: list[str] = []

    found: list[Child] = []

    def some_train() -> bool:
        """Finds workers in the middle of a batch; there is always a job for them."""
        assert not sent or fleet.job(sent[-1])["state"] != "failed", fleet.job(sent[-1])["error"]
        if not sent or fleet.job(sent[-1])["state"] == "succeeded":
            sent.append(fleet.send(data[len(sent) % 2], **_options(MICRO)))
        found[:] = [worker for worker in workers if fleet.training(worker)]
        return bool(found)

    for _ in range(KILLS):
        wait_until(some_train, "a busy worker", 120)
        victim = rng.choice(found)
        with contextlib.suppress(subprocess.TimeoutExpired):
            victim.wait(rng.uniform(0, 1))  # a random moment of the batch; it does not end by itself
        kill(victim)
        workers[workers.index(victim)] = fleet.start("regrow.worker")
    for number, path in enumerate(sent):
        job = fleet.wait_for_end(path, 240)
        assert job["state"] == "succeeded", job["error"]
        assert job["patches_done"] == job["patches_total"] == 3
        assert fleet.bundle(path) == expected[number % 2]
        whole = ["bundle.gnca", "job.json", "outcome.json", "report.json", "source.png"]
        _wait_for_files(fleet, path, whole)


def _wait_for_files(fleet: Fleet, path: str, names: list[str]) -> None:
    wait_until(lambda: fleet.files(path) == names, f"nothing but {names}")


def test_a_killed_workers_batch_is_taken_up_from_its_checkpoint(fleet: Fleet) -> None:
    """Within the lease and a second, and with what was trained before."""
    data = smooth_file(40, 40)
    (first,) = fleet.start_workers(1)
    path = fleet.send(data, **_options(TINY))
    checkpoints = fleet.folder / "blobs" / path.lstrip("/") / "checkpoints"
    wait_until(lambda: checkpoints.exists() and list(checkpoints.glob("*.fit")) != [], "a checkpoint", 120)
    (second,) = fleet.start_workers(1)
    kill(first)
    wait_until(lambda: fleet.busy(second), "the other worker's turn", seconds=2 + 1 + 5)
    job = fleet.wait_for_end(path, 240)
    assert job["state"] == "succeeded", job["error"]
    assert job["attempts"] == 2
    assert fleet.bundle(path) == undisturbed(data, TINY)


def test_F2_a_stopped_worker_hands_its_batch_over_at_once(fleet: Fleet) -> None:
    """F2: another has it within five seconds, long before the lease would end, and goes on where the first was."""
    fleet.environment["REGROW_LEASE"] = "PT10M"
    data = smooth_file(40, 40)
    (first,) = fleet.start_workers(1)
    path = fleet.send(data, **_options(TINY))
    wait_until(lambda: fleet.job(path)["progress"] > 0.1, "some progress", 120)
    (second,) = fleet.start_workers(1)
    before = fleet.job(path)["progress"]
    first.terminate()
    wait_until(lambda: fleet.busy(second), "the other worker's turn", seconds=5)
    assert first.wait(20) == 0
    wait_until(lambda: fleet.job(path)["progress"] > 0, "a sign of progress", 60)
    assert fleet.job(path)["progress"] > 0.9 * before, "it goes on where the first was"
    job = fleet.wait_for_end(path, 240)
    assert job["attempts"] == 2
    assert fleet.bundle(path) == undisturbed(data, TINY)


def test_F5_a_paused_worker_and_its_successor_leave_one_result(fleet: Fleet) -> None:
    """F5: both do the same batch; the part that is stored first wins."""
    data = smooth_file(40, 40)
    (first,) = fleet.start_workers(1)
    path = fleet.send(data, **_options(MICRO))
    wait_until(lambda: fleet.busy(first), "a busy worker")
    first.send_signal(signal.SIGSTOP)
    fleet.start_workers(1)
    job = fleet.wait_for_end(path)
    first.send_signal(signal.SIGCONT)
    wait_until(lambda: not fleet.busy(first) and first.poll() is None, "the first worker giving up")
    assert job["state"] == "succeeded", job["error"]
    assert fleet.job(path)["patches_done"] == 1
    assert fleet.bundle(path) == undisturbed(data, MICRO)
    wait_until(lambda: not any(name.startswith("parts") for name in fleet.files(path)), "the end of its parts", 5)


@pytest.mark.parametrize(("fault", "kind"), [("crash", "worker-lost"), ("memory", "out-of-memory")])
@pytest.mark.parametrize("on_failure", ["fail", "flat"])
def test_F8_poison_is_isolated(fleet: Fleet, fault: str, kind: str, on_failure: str) -> None:
    """F8: three tries, then its patches alone, three times; then the job fails, or the patch is flat. Others go on."""
    workers = fleet.start_workers(2, FAULTY, REGROW_TEST_FAULT=fault)
    path = fleet.send(poisoned_file(80, 80, patch=2), on_failure=on_failure)
    other = fleet.send(smooth_file(80, 80))

    def ended_with_workers_kept_alive() -> bool:
        for place, worker in enumerate(workers):
            if worker.poll() is not None:
                workers[place] = fleet.start(FAULTY, REGROW_TEST_FAULT=fault)
        return fleet.job(path)["state"] in ("failed", "succeeded")

    wait_until(ended_with_workers_kept_alive, "the end of the poisoned job", 150)
    job = fleet.job(path)
    assert fleet.wait_for_end(other)["state"] == "succeeded"
    if on_failure == "fail":
        assert (job["state"], job["error"]["type"]) == ("failed", kind)
        assert "patch 2 could not be fitted" in job["error"]["message"]
        assert fleet.client.get(path + "/bundle").status_code == 410
    else:
        assert (job["state"], job["patches_failed"]) == ("succeeded", 1)
        assert fleet.client.get(job["links"]["picture"]).status_code == 200


def test_F11_a_worker_two_hours_ahead(fleet: Fleet) -> None:
    """F11"""
    fleet.start_workers(1, FAULTY, REGROW_TEST_FAULT="clock")
    fleet.start_workers(1, FAULTY)
    paths = [fleet.send(smooth_file(80, 80, seed=number)) for number in range(6)]
    for path in paths:
        job = fleet.wait_for_end(path)
        assert job["state"] == "succeeded"
        assert job["created_at"] <= job["started_at"] <= job["finished_at"]
        assert job["attempts"] <= 4, "no lease may end early"


def test_F6_the_finisher_dies_before_the_assembly(fleet: Fleet) -> None:
    """F6"""
    mark = str(fleet.folder / "mark")
    settings = {"REGROW_TEST_FAULT": "die-in-assembly", "REGROW_TEST_MARK": mark}
    workers = fleet.start_workers(2, FAULTY, **settings)
    path = fleet.send(smooth_file(80, 80))
    job = fleet.wait_for_end(path)
    assert job["state"] == "succeeded", job["error"]
    assert [worker.poll() for worker in workers].count(-signal.SIGKILL) == 1
    assert len(fleet.bundle(path)) == job["bytes"]


def test_H10_a_pickle_in_the_queue_is_refused_and_the_worker_lives(fleet: Fleet) -> None:
    """H10"""
    import base64
    import json
    import pickle

    (worker,) = fleet.start_workers(1, FAULTY)
    message = {
        "body": base64.b64encode(pickle.dumps([[], {"protocol": 2}, {}])).decode(),
        "content-type": "application/x-python-serialize",
        "content-encoding": "binary",
        "headers": {"task": "regrow.fit", "id": "1", "lang": "py"},
        "properties": {
            "delivery_tag": "1",
            "body_encoding": "base64",
            "delivery_info": {"exchange": "regrow", "routing_key": "regrow.fit.cpu"},
        },
    }
    fleet.redis.lpush("regrow.fit.cpu", json.dumps(message))
    wait_until(lambda: fleet.redis.llen("regrow.fit.cpu") == 0, "the message being taken")
    wait_until(lambda: "Refusing to deserialize" in fleet.log(FAULTY) or "pickle" in fleet.log(FAULTY), "its refusal")
    assert fleet.wait_for_end(fleet.send(smooth_file(8, 8)))["state"] == "succeeded"
    assert worker.poll() is None


def test_a_worker_of_another_protocol_says_so_and_takes_nothing(fleet: Fleet) -> None:
    """Until API and worker are of one release again."""
    fleet.start_workers(1, FAULTY)
    fleet.redis.set("regrow:protocol", 99)
    wait_until(lambda: fleet.alive()[0].refused is not None, "its refusal")
    assert "install one release on both" in str(fleet.alive()[0].refused)
    assert "the service speaks protocol 99" in fleet.log(FAULTY)
    assert fleet.wait_for_end(fleet.send(smooth_file(8, 8)))["state"] == "succeeded"
    wait_until(lambda: fleet.alive()[0].refused is None, "its good humour")
