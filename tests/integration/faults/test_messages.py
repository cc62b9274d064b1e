"""Messages that are lost, doubled or late, and what Celery's own tools see of those that are not."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from regrow.core.jobs.messages import QueueName, make_celery
from tests.integration.faults.fleet import Fleet, kill
from tests.integration.faults.poison import poisoned_file
from tests.pictures import smooth_file
from tests.services import wait_until

FAULTY = "tests.integration.faults.faulty_worker"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(tmp_path, REGROW_PICK_UP="PT2S") as fleet:
        fleet.start_sweeper()
        fleet.start_api()
        yield fleet


def _waiting(fleet: Fleet, **more: str) -> dict[str, str]:
    """Settings of workers whose fits of a poisoned patch wait until the test touches a file."""
    return {"REGROW_TEST_FAULT": "wait", "REGROW_TEST_MARK": str(fleet.folder / "mark"), **more}


def _go_on(fleet: Fleet) -> None:
    (fleet.folder / "mark").touch()


def _busy_with_one_behind(fleet: Fleet) -> tuple[str, str]:
    """Paths of a job in a worker's hands, and of one whose message waits for that worker."""
    first = fleet.send(poisoned_file(40, 40, patch=0))
    wait_until(lambda: fleet.redis.zcard("regrow:leases") == 1, "the first being begun")
    second = fleet.send(smooth_file(40, 40))
    wait_until(lambda: fleet.redis.llen(QueueName.FIT_CPU) == 1, "the second's message")
    return first, second


def test_F15_a_message_lost_in_the_broker_is_sent_again(fleet: Fleet) -> None:
    fleet.start_workers(1, FAULTY, **_waiting(fleet))
    first, second = _busy_with_one_behind(fleet)
    fleet.redis.delete(QueueName.FIT_CPU)
    _go_on(fleet)
    for path in (first, second):
        job = fleet.wait_for_end(path, 30)
        assert (job["state"], job["attempts"]) == ("succeeded", 1), job["error"]


def test_F16_a_message_that_is_delivered_twice_at_once_is_one_step(fleet: Fleet) -> None:
    fleet.start_workers(2, FAULTY, **_waiting(fleet))
    blocker = fleet.send(poisoned_file(40, 80, patch=1))  # a batch for each worker
    other = fleet.send(poisoned_file(40, 40, patch=0))
    wait_until(lambda: fleet.redis.zcard("regrow:leases") == 2, "both being busy")
    path = fleet.send(smooth_file(40, 40))
    wait_until(lambda: fleet.redis.llen(QueueName.FIT_CPU) == 1, "its message")
    for raw in fleet.redis.lrange(QueueName.FIT_CPU, 0, -1):
        message = json.loads(raw)
        message["properties"]["delivery_tag"] += "-again"
        fleet.redis.lpush(QueueName.FIT_CPU, json.dumps(message))
    _go_on(fleet)
    for each in (blocker, other, path):
        assert fleet.wait_for_end(each, 30)["state"] == "succeeded"
    assert fleet.job(path)["attempts"] == 1
    wait_until(lambda: not fleet.redis.exists(*QueueName, "unacked"), "both being done with")


def test_F17_a_worker_that_dies_before_it_begins_what_it_took(fleet: Fleet) -> None:
    """Nobody holds a lease then: another message is sent when the first was to be picked up."""
    settings = {"REGROW_TEST_FAULT": "die-before-it-begins", "REGROW_TEST_MARK": str(fleet.folder / "mark")}
    (victim,) = fleet.start_workers(1, FAULTY, **settings)
    path = fleet.send(smooth_file(40, 40))
    victim.wait(20)
    fleet.start_workers(1, FAULTY)
    job = fleet.wait_for_end(path, 30)
    assert (job["state"], job["attempts"]) == ("succeeded", 1), job["error"]


def test_F18_a_queue_whose_only_worker_vanishes_leaves_its_steps_to_others(fleet: Fleet) -> None:
    (gpu,) = fleet.start_workers(1, FAULTY, **_waiting(fleet, REGROW_QUEUES="regrow.fit.cuda"))
    first = fleet.send(poisoned_file(40, 40, patch=0))
    wait_until(lambda: fleet.redis.zcard("regrow:leases") == 1, "the first being begun")
    second = fleet.send(smooth_file(40, 40))
    wait_until(lambda: fleet.redis.llen(QueueName.FIT_CUDA) == 1, "the second's message")
    kill(gpu)
    _go_on(fleet)
    fleet.start_workers(1, FAULTY, **_waiting(fleet))
    for path in (first, second):
        assert fleet.wait_for_end(path, 60)["state"] == "succeeded"


def test_a_drained_worker_finishes_its_step_and_takes_no_other_until_it_is_resumed(fleet: Fleet) -> None:
    (worker,) = fleet.start_workers(1, FAULTY, **_waiting(fleet))
    first, second = _busy_with_one_behind(fleet)
    _regrow(fleet, "drain", fleet.alive()[0].id)
    wait_until(lambda: fleet.alive()[0].drained, "its knowing")
    _go_on(fleet)
    wait_until(lambda: fleet.redis.zcard("regrow:leases") == 0, "the end of its step")
    wait_until(lambda: "no live worker takes from" in (fleet.job(second)["warning"] or ""), "a warning")
    (listed,) = json.loads(_regrow(fleet, "list", "--json"))
    assert (listed["pid"], listed["drained"], listed["current"]) == (worker.pid, True, None)
    assert fleet.job(second)["state"] == "queued"
    _regrow(fleet, "resume", listed["id"])
    for path in (first, second):
        assert fleet.wait_for_end(path, 30)["state"] == "succeeded"


def _regrow(fleet: Fleet, *arguments: str) -> str:
    """What `regrow workers` prints."""
    command = [sys.executable, "-m", "regrow.cli.main", "workers", *arguments]
    return subprocess.run(command, env=fleet.environment, capture_output=True, text=True, check=True).stdout


def test_celerys_own_tools_see_every_step(fleet: Fleet) -> None:
    """Node names are unique; `inspect` names the job of a step in work; events tell how each ended."""
    workers = fleet.start_workers(2, FAULTY, **_waiting(fleet))
    app = make_celery(fleet.redis_url)
    with _listening(app) as events:
        _see_a_job(fleet, app, events, {worker.pid for worker in workers})


def _see_a_job(fleet: Fleet, app: Any, events: list[dict[str, Any]], pids: set[int]) -> None:
    wait_until(lambda: all(record.ready for record in fleet.alive()), "both taking steps")
    path = fleet.send(poisoned_file(40, 40, patch=0))
    job_id = path.rpartition("/")[2]
    wait_until(lambda: fleet.redis.zcard("regrow:leases") == 1, "the step being begun")
    inspect = app.control.inspect(timeout=3)
    nodes = set(inspect.ping())
    assert len(nodes) == 2
    assert {int(node.removeprefix("regrow-").partition("@")[0]) for node in nodes} == pids
    (active,) = [task for tasks in inspect.active().values() for task in tasks]
    assert (active["name"], active["kwargs"]["job"], active["kwargs"]["stop"]) == ("regrow.fit", job_id, 1)
    assert active["hostname"] in nodes
    assert {stats["pool"]["max-concurrency"] for stats in inspect.stats().values()} == {1}
    command = [sys.executable, "-m", "celery", "-A", "regrow.worker.app", "inspect", "active"]
    said = subprocess.run(command, env=fleet.environment, capture_output=True, text=True, check=True).stdout
    assert job_id in said
    _go_on(fleet)
    assert fleet.wait_for_end(path)["state"] == "succeeded"

    def told() -> list[str]:
        names = {event["uuid"]: event["name"] for event in events if event["type"] == "task-received"}
        return [names.get(event["uuid"], "") for event in events if event["type"] == "task-succeeded"]

    wait_until(lambda: told() == ["regrow.fit", "regrow.assemble"], "the events of two steps")
    assert all(job_id in event["kwargs"] for event in events if event["type"] == "task-received")


@contextlib.contextmanager
def _listening(app: Any) -> Iterator[list[dict[str, Any]]]:
    """Yields a list that grows by Celery's events."""
    events: list[dict[str, Any]] = []
    ready = threading.Event()
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": events.append})

        def run() -> None:
            with receiver.consumer_context(wakeup=False):
                ready.set()
                for _ in receiver.consume(limit=None, timeout=None, wakeup=False):
                    pass

        thread = threading.Thread(target=run)
        thread.start()
        assert ready.wait(10)
        try:
            yield events
        finally:
            receiver.should_stop = True
            thread.join()
