"""Webhooks from their queue to a real receiver: a real Valkey, real blobs, HTTP over loopback."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from redis import Redis
from standardwebhooks import Webhook

from regrow.core.errors import DeliveryNotFound
from regrow.core.stores.files import FilesBlobStore
from regrow.core.stores.redis import connect
from regrow.core.times import now_ms
from regrow.core.webhooks import dispatcher
from regrow.core.webhooks.address import Networks
from regrow.core.webhooks.deliveries import LOG_LENGTH, Deliveries
from regrow.core.webhooks.dispatcher import MOST_PER_HOST, Dispatcher
from regrow.core.webhooks.model import DeliveryDocument, DeliveryState
from regrow.core.webhooks.settings import WebhookSettings
from regrow.core.webhooks.signature import sign
from tests.receivers import receiving
from tests.services import free_ports, process, wait_until

LOOPBACK = (ip_network("127.0.0.0/8"),)
QUICK = (timedelta(milliseconds=50),) * 2
DATA = {"id": "0123", "state": "succeeded", "name": 'ä"\n'}


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(dispatcher, "RECONCILE_SECONDS", 0.2)


@pytest.fixture
def deliveries(redis: Redis, tmp_path: Path) -> Deliveries:
    return Deliveries(redis, FilesBlobStore(tmp_path), now_ms)


@contextlib.contextmanager
def dispatching(*all_deliveries: Deliveries, networks: Networks = LOOPBACK, timeout: float = 10) -> Iterator[None]:
    """A dispatcher for each."""
    settings = WebhookSettings(
        webhook_waits=QUICK, webhook_networks=networks, webhook_timeout=timedelta(seconds=timeout)
    )
    stopping = threading.Event()
    threads = [
        threading.Thread(target=Dispatcher(deliveries, settings).run, args=[stopping]) for deliveries in all_deliveries
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in threads)


def _ended(deliveries: Deliveries, id: str) -> DeliveryDocument:
    wait_until(lambda: deliveries.get(id).state is not DeliveryState.PENDING, f"the end of {id}", 20)
    return deliveries.get(id)


def _pending(deliveries: Deliveries) -> list[str]:
    return deliveries._blobs.list("webhooks/pending/")


def test_a_delivery_arrives_signed(deliveries: Deliveries) -> None:
    """Verified by the library that receivers use, from the headers, the raw body and the secret alone."""
    with receiving() as receiver, dispatching(deliveries):
        deliveries.enqueue("msg_1", "ann", receiver.url, "job.succeeded", DATA)
        request = receiver.next()
        document = _ended(deliveries, "msg_1")
    payload = Webhook(deliveries.secrets.current("ann")).verify(request.body, dict(request.headers.items()))
    assert request.headers["webhook-id"] == "msg_1"
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 30
    assert request.headers["Content-Type"] == "application/json"
    assert "Cookie" not in request.headers
    assert receiver.url.removeprefix("http://") == request.headers["Host"] + request.path
    assert payload.keys() == {"type", "timestamp", "data"}
    assert (payload["type"], payload["data"]) == ("job.succeeded", DATA)
    assert (document.state, [attempt.status for attempt in document.attempts]) == (DeliveryState.DELIVERED, [204])
    assert _pending(deliveries) == []


def test_while_a_secret_is_replaced_both_verify(deliveries: Deliveries) -> None:
    former = deliveries.secrets.current("ann")
    secret = deliveries.secrets.rotate("ann")
    with receiving() as receiver, dispatching(deliveries):
        deliveries.enqueue("msg_1", "ann", receiver.url, "job.succeeded", DATA)
        request = receiver.next()
    timestamp = int(request.headers["webhook-timestamp"])
    expected = [sign(each, "msg_1", timestamp, request.body) for each in (secret, former)]
    assert request.headers["webhook-signature"].split() == expected


def test_the_sweepers_process_sends(deliveries: Deliveries, redis_url: str, tmp_path: Path) -> None:
    environment = {
        "REGROW_REDIS_URL": redis_url,
        "REGROW_BLOB_FOLDER": str(tmp_path),
        "REGROW_WEBHOOK_NETWORKS": '["127.0.0.0/8"]',
    }
    with receiving() as receiver, process("regrow.sweeper", environment, tmp_path / "sweep.log"):
        deliveries.enqueue("msg_1", "ann", receiver.url, "job.succeeded", DATA)
        assert receiver.next().headers["webhook-id"] == "msg_1"
        assert _ended(deliveries, "msg_1").state is DeliveryState.DELIVERED


def test_a_delivery_is_sent_again_until_it_is_received(deliveries: Deliveries) -> None:
    with receiving(500, (503, {"Retry-After": "0"}), 200) as receiver, dispatching(deliveries):
        deliveries.enqueue("msg_1", "ann", receiver.url, "job.failed", DATA)
        document = _ended(deliveries, "msg_1")
        requests = [receiver.next() for _ in range(3)]
    assert document.state is DeliveryState.DELIVERED
    assert [(attempt.status, attempt.error) for attempt in document.attempts] == [
        *((500, "answered 500"), (503, "answered 503"), (200, None))
    ]
    assert {(request.headers["webhook-id"], request.body) for request in requests} == {
        ("msg_1", document.body.encode())
    }


def test_after_the_last_wait_it_has_failed(deliveries: Deliveries) -> None:
    with receiving(404) as receiver, dispatching(deliveries):
        deliveries.enqueue("msg_1", "ann", receiver.url, "job.failed", DATA)
        document = _ended(deliveries, "msg_1")
    assert (document.state, len(document.attempts), receiver.received.qsize()) == (DeliveryState.FAILED, 3, 3)
    assert _pending(deliveries) == []


def test_who_is_gone_is_not_asked_again(deliveries: Deliveries) -> None:
    with receiving(410) as receiver, dispatching(deliveries):
        deliveries.enqueue("msg_1", "ann", receiver.url, "job.failed", DATA)
        document = _ended(deliveries, "msg_1")
    assert (document.state, receiver.received.qsize()) == (DeliveryState.FAILED, 1)


def test_H9_a_redirect_is_not_followed(deliveries: Deliveries) -> None:
    with receiving() as target, receiving((307, {"Location": target.url})) as receiver, dispatching(deliveries):
        deliveries.enqueue("msg_1", "ann", receiver.url, "job.failed", DATA)
        document = _ended(deliveries, "msg_1")
    assert (receiver.received.qsize(), target.received.qsize()) == (3, 0)
    assert document.attempts[-1].error == "answered 307: redirects are not followed"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_H9_what_is_not_allowed_is_not_called(deliveries: Deliveries, host: str) -> None:
    with receiving() as receiver, dispatching(deliveries, networks=()):
        url = receiver.url.replace("127.0.0.1", host)
        deliveries.enqueue("msg_1", "ann", url, "job.failed", DATA)
        document = _ended(deliveries, "msg_1")
    assert receiver.received.empty()
    assert document.state is DeliveryState.FAILED
    assert all("public" in str(attempt.error) for attempt in document.attempts)


def test_proxies_of_the_environment_are_not_asked(deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as proxy, receiving() as receiver, dispatching(deliveries):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        deliveries.enqueue("msg_1", "ann", receiver.url, "job.failed", DATA)
        assert _ended(deliveries, "msg_1").state is DeliveryState.DELIVERED
    assert proxy.received.empty()


def test_nobody_there_is_an_attempt(deliveries: Deliveries) -> None:
    with dispatching(deliveries):
        deliveries.enqueue("msg_1", "ann", f"http://127.0.0.1:{free_ports(1)[0]}/", "job.failed", DATA)
        document = _ended(deliveries, "msg_1")
    assert [attempt.status for attempt in document.attempts] == [None] * 3
    assert "refused" in str(document.attempts[0].error)


def test_a_replay_sends_the_same_again(deliveries: Deliveries) -> None:
    with receiving(410, 200) as receiver, dispatching(deliveries):
        deliveries.enqueue("msg_1", "ann", receiver.url, "job.failed", DATA)
        _ended(deliveries, "msg_1")
        assert deliveries.replay("msg_1").state is DeliveryState.PENDING
        document = _ended(deliveries, "msg_1")
        first, second = receiver.next(), receiver.next()
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert document.state is DeliveryState.DELIVERED
    assert [attempt.status for attempt in document.attempts] == [410, 200]


def test_an_event_is_queued_once(deliveries: Deliveries) -> None:
    """At once from many sides, and when it was delivered long ago."""
    with receiving() as receiver, dispatching(deliveries):
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: deliveries.enqueue("msg_1", "ann", receiver.url, "job.failed", DATA), range(16)))
        _ended(deliveries, "msg_1")
        deliveries.enqueue("msg_1", "ann", receiver.url, "job.failed", DATA)
        deliveries.enqueue("msg_2", "ann", receiver.url, "job.failed", DATA)
        _ended(deliveries, "msg_2")
    assert [receiver.next().headers["webhook-id"] for _ in range(receiver.received.qsize())] == ["msg_1", "msg_2"]


def test_a_flush_of_redis_loses_nothing_that_is_pending(deliveries: Deliveries, redis: Redis) -> None:
    with receiving() as receiver:
        for number in range(5):
            deliveries.enqueue(f"msg_{number}", "ann", receiver.url, "job.failed", DATA)
        redis.flushall()
        assert deliveries.get("msg_3").state is DeliveryState.PENDING
        with dispatching(deliveries):
            for number in range(5):
                assert _ended(deliveries, f"msg_{number}").state is DeliveryState.DELIVERED
    assert receiver.received.qsize() == 5
    assert len(deliveries.newest("ann", 10)) == 5


def test_a_flush_between_two_attempts_loses_no_attempt(deliveries: Deliveries, redis: Redis) -> None:
    with receiving(500, 204) as receiver, dispatching(deliveries):
        deliveries.enqueue("msg_1", "ann", receiver.url, "job.failed", DATA)
        receiver.next()
        wait_until(lambda: len(deliveries.get("msg_1").attempts) > 0, "the first attempt's end")
        redis.flushall()
        document = _ended(deliveries, "msg_1")
    assert [attempt.status for attempt in document.attempts] == [500, 204]


def test_two_dispatchers_deliver_once(redis_url: str, redis: Redis, tmp_path: Path) -> None:
    both = [Deliveries(connect(redis_url), FilesBlobStore(tmp_path), now_ms) for _ in range(2)]
    with receiving() as receiver, dispatching(*both):
        for number in range(30):
            both[number % 2].enqueue(f"msg_{number}", "ann", receiver.url, "job.failed", DATA)
        for number in range(30):
            _ended(both[0], f"msg_{number}")
    assert receiver.received.qsize() == 30


def test_a_slow_receiver_does_not_hold_up_another(deliveries: Deliveries) -> None:
    """Not even with more deliveries than there are threads."""
    with receiving(host="127.0.0.2") as slow, receiving() as quick, dispatching(deliveries, timeout=20):
        slow.open.clear()
        for number in range(40):
            deliveries.enqueue(f"slow_{number}", "ann", slow.url, "job.failed", DATA)
        for _ in range(MOST_PER_HOST):
            slow.next()
        deliveries.enqueue("quick", "ann", quick.url, "job.failed", DATA)
        assert quick.next().headers["webhook-id"] == "quick"
        assert _ended(deliveries, "quick").state is DeliveryState.DELIVERED
        assert slow.received.empty(), "more than its share"
        slow.open.set()
        for number in range(40):
            assert _ended(deliveries, f"slow_{number}").state is DeliveryState.DELIVERED


def test_who_takes_too_long_has_not_received(deliveries: Deliveries) -> None:
    with receiving() as receiver, dispatching(deliveries, timeout=0.2):
        receiver.open.clear()
        deliveries.enqueue("msg_1", "ann", receiver.url, "job.failed", DATA)
        document = _ended(deliveries, "msg_1")
    assert {attempt.error for attempt in document.attempts} == {"no answer in time"}


def test_blobs_that_an_outage_left_are_not_sent_again(deliveries: Deliveries) -> None:
    """Redis knew of the end before the blob store could be told."""
    with receiving() as receiver, dispatching(deliveries):
        deliveries.enqueue("msg_1", "ann", receiver.url, "job.failed", DATA)
        document = _ended(deliveries, "msg_1")
        deliveries._blobs.put("webhooks/pending/msg_1.json", document.model_dump_json().encode())
        wait_until(lambda: _pending(deliveries) == [], "its removal")
    assert receiver.received.qsize() == 1


def test_one_deliverys_trouble_is_not_the_others(deliveries: Deliveries, redis: Redis) -> None:
    with receiving() as receiver:
        deliveries.enqueue("msg_2", "ann", receiver.url, "job.failed", DATA)
        redis.flushall()
        deliveries._blobs.put("webhooks/pending/msg_1.json", b"{")
        deliveries._blobs.put("webhooks/pending/.nfs0001", b"")
        with dispatching(deliveries):
            _ended(deliveries, "msg_2")


def test_a_dispatcher_outlives_an_outage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It says so once, and stops when told to."""
    nowhere = connect(f"redis://127.0.0.1:{free_ports(1)[0]}/0")
    with dispatching(Deliveries(nowhere, FilesBlobStore(tmp_path), now_ms)):
        wait_until(lambda: "cannot be reached" in caplog.text, "its saying so")
    assert caplog.text.count("cannot be reached") == 1


def test_the_log_is_in_pages_newest_first(redis: Redis, tmp_path: Path) -> None:
    times = iter(range(1_700_000_000_000, 1_800_000_000_000))
    deliveries = Deliveries(redis, FilesBlobStore(tmp_path), lambda: next(times))
    for number in range(7):
        deliveries.enqueue(f"msg_{number}", "ann" if number % 2 else "bob", "https://example.org", "job.failed", DATA)
    ids = [document.id for document in deliveries.newest(None, 3)]
    assert ids == ["msg_6", "msg_5", "msg_4"]
    assert [document.id for document in deliveries.newest(None, 3, "msg_4")] == ["msg_3", "msg_2", "msg_1"]
    assert [document.id for document in deliveries.newest("ann", 2)] == ["msg_5", "msg_3"]
    assert [document.id for document in deliveries.newest("ann", 9, "msg_3")] == ["msg_1"]
    assert deliveries.newest("ann", 9, "unknown") == deliveries.newest("nobody", 9) == []
    for unknown in ("unknown", "../../etc/passwd"):
        with pytest.raises(DeliveryNotFound):
            deliveries.get(unknown)
        with pytest.raises(DeliveryNotFound):
            deliveries.replay(unknown)
    with pytest.raises(ValueError, match="not a delivery's id"):
        deliveries.enqueue("../x", "ann", "https://example.org", "job.failed", DATA)


def test_the_log_is_bounded(deliveries: Deliveries, redis: Redis) -> None:
    redis.zadd("regrow:deliveries:ann", {f"old_{number}": number for number in range(LOG_LENGTH)})
    deliveries.enqueue("msg_1", "ann", "https://example.org", "job.failed", DATA)
    assert redis.zcard("regrow:deliveries:ann") == LOG_LENGTH
    assert redis.zrevrange("regrow:deliveries:ann", 0, 0) == ["msg_1"]
    assert 0 < redis.ttl("regrow:delivery:msg_1") <= 7 * 24 * 3600


def test_an_owner_has_one_secret(deliveries: Deliveries) -> None:
    """Whoever asks first, and however many at once."""
    with ThreadPoolExecutor(8) as threads:
        secrets = set(threads.map(lambda _: deliveries.secrets.current("ann"), range(16)))
    assert len(secrets) == 1
    assert deliveries.secrets.current("ann") in secrets
    assert deliveries.secrets.current("../bob") not in secrets
