"""Following a job over server-sent events, with a real Valkey; what a worker does is done here, step by step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from regrow.core.access.key_cache import ANYBODY
from regrow.core.jobs.events import MOST_FOLLOWERS, Events
from regrow.core.jobs.lifecycle import Jobs
from regrow.core.jobs.queue import WorkQueue
from regrow.core.stores.redis import connect
from tests.claims import claim_next
from tests.jobs import backend_at
from tests.pictures import smooth_file

FOLLOWERS = MOST_FOLLOWERS // 2


@dataclass
class Event:
    kind: str
    id: str
    job: dict[str, Any]


@dataclass
class Service:
    redis: Redis
    jobs: Jobs
    queue: WorkQueue

    def end_all_but(self, job_id: str) -> None:
        for other in self.jobs.store.open_jobs():
            if other != job_id:
                self.jobs.delete(other)


@pytest.fixture
def service(redis_url: str, blob_folder: Path) -> Iterator[Service]:
    with connect(redis_url) as redis:
        backend = backend_at(redis_url, blob_folder)
        yield Service(redis, backend.jobs, backend.queue)


@pytest.fixture
def job_id(client: httpx.Client, service: Service) -> str:
    """A job of three patches, the only one."""
    made: str = client.post("/encode?profile=rules", content=smooth_file(120, 40)).raise_for_status().json()["id"]
    service.end_all_but(made)
    return made


def _events(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield Event(fields["event"], fields["id"], json.loads(fields["data"]))
            fields = {}


def _follow(client: httpx.Client, job_id: str, last: str | None = None):  # type: ignore[no-untyped-def]
    headers = {} if last is None else {"Last-Event-ID": last}
    return client.stream("GET", f"/jobs/{job_id}/events", headers=headers)


def _claim(service: Service):  # type: ignore[no-untyped-def]
    claim = claim_next(service.queue, 1e30, workers=3)
    assert claim is not None
    return claim


def test_every_change_arrives_and_the_last_ends_it(client: httpx.Client, service: Service, job_id: str) -> None:
    with _follow(client, job_id) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream"), answer.read()
        assert answer.headers["cache-control"] == "no-store"
        events = _events(answer.iter_lines())
        first = next(events)
        assert (first.kind, first.job["state"], first.job["id"]) == ("state", "queued", job_id)
        units = [_claim(service)]
        event = next(events)
        assert (event.kind, event.job["state"]) == ("state", "fitting")
        service.queue.note_progress(units[0], 0.5)
        event = next(events)
        assert (event.kind, event.job["patches_done"]) == ("progress", 0)
        assert event.job["progress"] == pytest.approx(0.5 / 3)
        service.queue.finish(units[0])
        assert next(events).job["patches_done"] == 1
        for _ in range(2):
            service.queue.finish(_claim(service))
            event = next(events)
        while event.job["state"] != "assembling":
            event = next(events)
        service.jobs.succeed(job_id, 30.0, 100)
        last = next(events)
        assert (last.kind, last.job["state"], last.job["psnr"]) == ("state", "succeeded", 30.0)
        assert list(events) == [], "the connection ends with the job"


def test_it_goes_on_after_the_last_event_that_was_seen(client: httpx.Client, service: Service, job_id: str) -> None:
    with _follow(client, job_id) as answer:
        events = _events(answer.iter_lines())
        next(events)
        unit = _claim(service)
        seen = next(events)
    service.queue.finish(unit)  # nobody follows
    service.jobs.cancel(job_id)
    with _follow(client, job_id, seen.id) as answer:
        missed = list(_events(answer.iter_lines()))
    assert [event.job["state"] for event in missed] == ["fitting", "cancelled"] or [
        event.job["state"] for event in missed
    ] == ["cancelled"]
    assert all(event.id > seen.id for event in missed)
    over = client.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": missed[-1].id})
    assert (over.status_code, over.content) == (204, b""), "an EventSource does not come again"


def test_more_can_follow_than_a_pool_of_connections_has_by_itself(redis_url: str) -> None:
    async def follow() -> list[object]:
        events = Events(redis_url)
        try:
            return list(await asyncio.gather(*(events.after("0" * 32, "0-0", 1.0) for _ in range(FOLLOWERS))))
        finally:
            await events.close()

    assert asyncio.run(follow()) == [[]] * FOLLOWERS


def test_a_job_that_has_ended_is_one_event(client: httpx.Client, service: Service, job_id: str) -> None:
    service.jobs.cancel(job_id)
    for forgotten in (False, True):
        if forgotten:
            service.redis.delete(f"regrow:events:{job_id}")
        with _follow(client, job_id) as answer:
            (event,) = _events(answer.iter_lines())
        assert (event.kind, event.job["state"]) == ("state", "cancelled")
        assert client.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": event.id}).status_code == 204


def test_a_deleted_job_ends_it(client: httpx.Client, service: Service, job_id: str) -> None:
    with _follow(client, job_id) as answer:
        events = _events(answer.iter_lines())
        next(events)
        client.delete(f"/jobs/{job_id}").raise_for_status()
        last = list(events)[-1]
    assert (last.kind, last.job) == ("deleted", {"id": job_id})
    assert client.get(f"/jobs/{job_id}/events").status_code == 404


def test_silence_is_broken_by_pings(
    redis_url: str, blob_folder: Path, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    from regrow.api.app import create_app
    from regrow.api.routes import events as route
    from regrow.api.settings import ApiSettings

    monkeypatch.setattr(route, "PING_SECONDS", 0.05)
    app = create_app(ApiSettings(redis_url=redis_url, blob_folder=blob_folder))  # type: ignore[arg-type]

    async def chunks() -> list[bytes]:
        found = []
        async for chunk in route._text(app.state.service, ANYBODY, job_id, None, lambda: True):
            found.append(chunk)
            if len(found) == 5:
                break
        await app.state.service.events.close()
        return found

    found = asyncio.run(chunks())
    assert found[0].startswith(b"retry: ")
    assert b"event: state" in found[1]
    assert found[2:] == [b": ping\n\n"] * 3


@pytest.mark.parametrize("last", ["x", "1", "1-", "-1", "9" * 30 + "-0"])
def test_bad_ids_are_refused(client: httpx.Client, job_id: str, last: str) -> None:
    answer = client.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": last})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-option")


def test_waiting_ends_with_the_job(client: httpx.Client, service: Service) -> None:
    """Prefer: wait"""
    import threading

    before = set(service.jobs.store.open_jobs())

    def cancel_it() -> None:
        while not (new := set(service.jobs.store.open_jobs()) - before):
            pass
        service.jobs.cancel(new.pop())

    thread = threading.Thread(target=cancel_it)
    thread.start()
    answer = client.post("/encode", content=smooth_file(8, 8), headers={"Prefer": "wait=30"})
    thread.join()
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert answer.elapsed.total_seconds() < 20
