"""What becomes of a delivery after an attempt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from regrow.core.times import iso
from regrow.core.webhooks.model import (
    ATTEMPTS_KEPT,
    Attempt,
    DeliveryDocument,
    DeliveryState,
    after_attempt,
    is_delivery_id,
    parse_retry_after,
    queued_again,
)
from regrow.core.webhooks.settings import WebhookSettings

WAITS = (timedelta(seconds=5), timedelta(minutes=5))
NEW = DeliveryDocument(
    id="msg_1", owner="local", url="https://example.org", event="job.succeeded", body="{}", created_ms=0, next_ms=0
)


def _attempt(status: int | None = None, error: str | None = "no answer in time") -> Attempt:
    return Attempt(at_ms=1000, seconds=2.0, status=status, error=error)


def test_a_success_is_the_end() -> None:
    after = after_attempt(NEW, _attempt(204, None), WAITS)
    assert (after.state, after.next_ms, after.attempts) == (DeliveryState.DELIVERED, None, (_attempt(204, None),))


def test_gone_is_the_end() -> None:
    after = after_attempt(NEW, _attempt(410), WAITS)
    assert (after.state, after.next_ms) == (DeliveryState.FAILED, None)


@pytest.mark.parametrize("status", [None, 302, 400, 404, 429, 500])
def test_all_else_is_tried_again_until_the_waits_are_used_up(status: int | None) -> None:
    delivery = NEW
    for wait in (5, 300):
        delivery = after_attempt(delivery, _attempt(status), WAITS)
        assert delivery.state is DeliveryState.PENDING
        assert delivery.next_ms is not None
        assert wait <= (delivery.next_ms - 3000) / 1000 <= 1.1 * wait
    last = after_attempt(delivery, _attempt(status), WAITS)
    assert (last.state, last.next_ms, len(last.attempts)) == (DeliveryState.FAILED, None, 3)


def test_a_replay_has_all_tries_again_and_keeps_the_log() -> None:
    ended = after_attempt(NEW, _attempt(410), WAITS)
    again = queued_again(ended, 7000)
    assert (again.state, again.next_ms, again.attempts) == (DeliveryState.PENDING, 7000, ended.attempts)
    assert after_attempt(again, _attempt(500), WAITS).state is DeliveryState.PENDING


def test_the_log_is_bounded() -> None:
    delivery = NEW
    for _ in range(ATTEMPTS_KEPT + 5):
        delivery = queued_again(after_attempt(delivery, _attempt(200, None), WAITS), 0)
    assert len(delivery.attempts) == ATTEMPTS_KEPT


@pytest.mark.parametrize(
    ("status", "asked", "least", "most"),
    [
        (429, timedelta(seconds=60), 60, 60),
        (503, timedelta(seconds=60), 60, 60),
        (503, timedelta(seconds=1), 5, 5.5),  # no sooner than without
        (503, timedelta(days=1000), 86400, 86400),
        (500, timedelta(seconds=60), 5, 5.5),
    ],
)
def test_pleas_to_wait_are_heard_within_bounds(status: int, asked: timedelta, least: float, most: float) -> None:
    after = after_attempt(NEW, _attempt(status), WAITS, asked)
    assert after.next_ms is not None
    assert least <= (after.next_ms - 3000) / 1000 <= most


@pytest.mark.parametrize("value", ["", "soon", "-1", "1.5", "٣", "Wed, 99 Nov 2000 00:00:00 GMT", "\xff"])
def test_a_plea_that_is_none(value: str) -> None:
    assert parse_retry_after(value) is None


def test_pleas_in_seconds_and_as_a_date() -> None:
    assert parse_retry_after("120") == timedelta(seconds=120)
    assert parse_retry_after("9" * 5000) == timedelta(days=1)
    date = parse_retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True))
    assert date is not None
    assert 98 <= date.total_seconds() <= 100


@pytest.mark.parametrize("text", ["", "a/b", "../x", "a.b", "a b", "ä", "a" * 101, "a\n"])
def test_what_cannot_be_an_id(text: str) -> None:
    assert not is_delivery_id(text)
    assert is_delivery_id("msg_0-Z")


def test_times_are_iso() -> None:
    assert iso(1614265330123) == "2021-02-25T15:02:10.123Z"


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGROW_WEBHOOK_WAITS", '["PT1S", "PT2M"]')
    monkeypatch.setenv("REGROW_WEBHOOK_NETWORKS", '["10.0.0.0/8", "fd00::/8"]')
    settings = WebhookSettings()
    assert settings.webhook_waits == (timedelta(seconds=1), timedelta(minutes=2))
    assert [str(network) for network in settings.webhook_networks] == ["10.0.0.0/8", "fd00::/8"]
    assert len(WebhookSettings.model_fields["webhook_waits"].default) == 9
