"""What a delivery is, and what it becomes after an attempt."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict

ATTEMPTS_KEPT = 30
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_JITTER = 0.1
_MOST_RETRY_AFTER = timedelta(days=1)
_PLEAS_TO_WAIT = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


class DeliveryState(StrEnum):
    """Whether a delivery is still tried, has arrived, or is given up."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Attempt(_Document):
    """at_ms: when it began. seconds: that it took. status: of the answer. error: why it is no success."""

    at_ms: int
    seconds: float
    status: int | None = None
    error: str | None = None


class DeliveryDocument(_Document):
    """id: the receiver's `webhook-id`. body: the exact JSON that is sent. attempts: the last ones, oldest first.

    next_ms: when it is sent next, None unless pending. tries: attempts since it was queued, or queued again.
    """

    id: str
    owner: str
    url: str
    event: str
    body: str
    created_ms: int
    attempts: tuple[Attempt, ...] = ()
    next_ms: int | None
    state: DeliveryState = DeliveryState.PENDING
    tries: int = 0


class FormerSecret(_Document):
    """One that was replaced, and signs beside its successor until then, in milliseconds since 1970."""

    secret: str
    until_ms: int


class SecretDocument(_Document):
    """`webhooks/secrets/<hash of the owner>.json`. former: the last replaced first."""

    secret: str
    former: tuple[FormerSecret, ...] = ()


def is_delivery_id(text: str) -> bool:
    """Whether the text can be a delivery's id: it becomes a header, and a part of a blob's key."""
    return _ID.fullmatch(text) is not None


def after_attempt(
    delivery: DeliveryDocument, attempt: Attempt, waits: Sequence[timedelta], retry_after: timedelta | None = None
) -> DeliveryDocument:
    """The delivery after one more attempt. waits: before each retry. retry_after: that the receiver asked for."""
    tries = delivery.tries + 1
    changed: dict[str, object] = {"attempts": (*delivery.attempts, attempt)[-ATTEMPTS_KEPT:], "tries": tries}
    if attempt.error is None:
        changed |= {"state": DeliveryState.DELIVERED, "next_ms": None}
    elif attempt.status == HTTPStatus.GONE or tries > len(waits):
        changed |= {"state": DeliveryState.FAILED, "next_ms": None}
    else:
        wait = waits[tries - 1] * (1 + _JITTER * random.random())  # noqa: S311
        if retry_after is not None and attempt.status in _PLEAS_TO_WAIT:
            wait = max(wait, min(retry_after, _MOST_RETRY_AFTER))
        changed["next_ms"] = attempt.at_ms + round((timedelta(seconds=attempt.seconds) + wait).total_seconds() * 1000)
    return delivery.model_copy(update=changed)


def queued_again(delivery: DeliveryDocument, now: int) -> DeliveryDocument:
    """The delivery as if it were new, its log kept. now: milliseconds since 1970."""
    return delivery.model_copy(update={"state": DeliveryState.PENDING, "next_ms": now, "tries": 0})


def parse_retry_after(value: str) -> timedelta | None:
    """The header `Retry-After`, seconds or a date (RFC 9110, 10.2.3); None for anything else."""
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), int(_MOST_RETRY_AFTER.total_seconds())))
    try:
        date = parsedate_to_datetime(value)
        return date - datetime.now(UTC)
    except (TypeError, ValueError, OverflowError):  # TypeError: a date without a zone
        return None
