"""Webhooks of jobs and groups, through the whole service to a real receiver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.archives import zip_of
from tests.integration.faults.fleet import Fleet
from tests.pictures import smooth_file
from tests.receivers import Receiver, Request, receiving
from tests.services import wait_until

FAULTY = "tests.integration.faults.faulty_worker"  # flat patches: it is the way that is tested


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    settings = {"REGROW_WEBHOOK_NETWORKS": '["127.0.0.0/8"]', "REGROW_WEBHOOK_WAITS": '["PT0.1S", "PT0.1S"]'}
    with Fleet(tmp_path_factory.mktemp("webhooks"), **settings) as fleet:
        fleet.start_api()
        fleet.start_sweeper()
        fleet.start_workers(1, FAULTY)
        yield fleet


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def _verified(fleet: Fleet, request: Request) -> dict[str, Any]:
    """The event, as a receiver reads it with the library of the specification. Raises WebhookVerificationError."""
    secret = fleet.client.get("/webhooks/secret").json()["secret"]
    event: dict[str, Any] = Webhook(secret).verify(request.body, dict(request.headers.items()))
    return event


def test_a_jobs_end_is_told(fleet: Fleet, receiver: Receiver) -> None:
    job = fleet.client.post("/encode", content=smooth_file(8, 8), params={"webhook": receiver.url}).json()
    request = receiver.next()
    event = _verified(fleet, request)
    assert (event["type"], event["data"]["id"]) == ("job.succeeded", job["id"])
    now = fleet.client.get(f"/jobs/{job['id']}").json()
    assert {name: event["data"][name] for name in ("state", "psnr", "bytes", "finished_at")} == {
        name: now[name] for name in ("state", "psnr", "bytes", "finished_at")
    }
    assert fleet.client.get(event["data"]["links"]["picture"]).status_code == 200

    def delivered() -> bool:
        return fleet.client.get("/webhooks/deliveries").json()["deliveries"][0]["state"] == "delivered"

    wait_until(delivered, "the log's entry")
    (delivery,) = fleet.client.get("/webhooks/deliveries", params={"limit": 1}).json()["deliveries"]
    assert delivery["attempts"][0]["status"] == 204
    assert fleet.client.get(f"/webhooks/deliveries/{delivery['id']}").json() == delivery
    former = fleet.client.get("/webhooks/secret").json()
    assert fleet.client.post("/webhooks/secret/rotate").json() == fleet.client.get("/webhooks/secret").json() != former
    assert fleet.client.post(f"/webhooks/deliveries/{delivery['id']}/replay").status_code == 202
    again = receiver.next()
    assert (again.headers["webhook-id"], again.body) == (request.headers["webhook-id"], request.body)
    assert _verified(fleet, again) == event


def test_a_group_is_told_of_once(fleet: Fleet, receiver: Receiver) -> None:
    files = {f"{number}.png": smooth_file(8, 8 + number) for number in range(3)} | {"bad": b"x"}
    group = fleet.client.post("/groups", content=zip_of(files), params={"webhook": receiver.url}).json()
    event = json.loads(receiver.next().body)
    assert event["type"] == "group.ended"
    assert event["data"]["id"] == group["id"]
    assert (event["data"]["refused"], event["data"]["states"]) == (1, {"succeeded": 3})
    assert fleet.client.get(event["data"]["links"]["manifest"]).json()["images"][0]["state"] == "succeeded"
    assert receiver.received.empty()


def test_a_cancelled_job_is_told_and_tried_again(fleet: Fleet) -> None:
    with receiving(500, 204) as receiver:
        job = fleet.client.post("/encode", content=smooth_file(400, 400), params={"webhook": receiver.url}).json()
        fleet.client.post(f"/jobs/{job['id']}/cancel")
        first, second = receiver.next(), receiver.next()
    assert json.loads(first.body)["type"] == "job.cancelled"
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_what_was_told_is_not_told_again(fleet: Fleet, receiver: Receiver) -> None:
    """Not even by cancelling what has ended, when Redis has forgotten all of it."""
    job = fleet.client.post("/encode", content=smooth_file(8, 9), params={"webhook": receiver.url}).json()
    first = receiver.next()
    wait_until(lambda: not (fleet.folder / "blobs/webhooks/pending").exists(), "its being noted as delivered")
    fleet.redis.flushall()
    fleet.client.post(f"/jobs/{job['id']}/cancel")
    other = fleet.client.post("/encode", content=smooth_file(8, 10), params={"webhook": receiver.url}).json()
    assert json.loads(receiver.next().body)["data"]["id"] == other["id"]
    assert json.loads(first.body)["data"]["id"] == job["id"]
    assert receiver.received.empty()


@pytest.mark.parametrize(
    "url",
    [
        *("http://10.0.0.1/", "http://169.254.169.254/latest", "http://[::1]/", "http://100.64.0.1"),
        *("ftp://example.org", "https://me:secret@example.org", "https://", "example.org", "https://example.org:99999"),
    ],
)
def test_H9_addresses_that_cannot_be_meant_are_refused_at_once(fleet: Fleet, url: str) -> None:
    """H9: names are looked up when they are called (test_webhooks.py)."""
    answer = fleet.client.post("/encode", content=smooth_file(8, 8), params={"webhook": url})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-option")
    assert answer.json()["errors"][0]["field"] == "webhook"
    assert "secret" not in answer.text
