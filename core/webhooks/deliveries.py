"""Deliveries in both stores.

While one is pending, a blob `webhooks/pending/<id>.json` says so: what Redis forgets is entered from there. The log
that users see is in Redis alone, for a week. As long as Redis knows a delivery, it is the newer of the two.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Mapping

from redis.client import Pipeline

from regrow.core.errors import BlobNotFound, DeliveryNotFound, ServiceUnavailable
from regrow.core.stores.blobs import BlobStore
from regrow.core.stores.redis import redis_errors
from regrow.core.stores.redis_client import RedisClient
from regrow.core.times import iso
from regrow.core.webhooks.model import DeliveryDocument, DeliveryState, is_delivery_id, queued_again
from regrow.core.webhooks.secrets import SecretStore

log = logging.getLogger("regrow.webhooks")

_PENDING = "webhooks/pending/"
_SCHEDULE, _LOG = "regrow:webhooks", "regrow:deliveries"

LOG_SECONDS = 7 * 24 * 3600
LOG_LENGTH = 1000
"""Of each owner's log, and of all owners' together."""

_PAGE = 100

_CLAIM = """
local due = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not due or tonumber(due) > tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
return 1
"""


class Deliveries:
    """clock: milliseconds since 1970. Every method raises ServiceUnavailable when a store cannot be reached."""

    def __init__(self, redis: RedisClient, blobs: BlobStore, clock: Callable[[], int]) -> None:
        self._redis = redis
        self._blobs, self.clock = blobs, clock
        self.secrets = SecretStore(blobs, clock)
        self._claim = redis.register_script(_CLAIM)

    def enqueue(self, id: str, owner: str, url: str, event: str, data: Mapping[str, object]) -> None:
        """Queue an event to be sent at once. Called again with the same id, as after an outage, it does nothing.

        url: that core.webhooks.address.parse_target has passed. Raises ValueError for what cannot be an id.
        """
        if not is_delivery_id(id):
            raise ValueError(f"not a delivery's id: {id!r}")
        with redis_errors():
            if self._redis.exists(_key(id)):
                return
        now = self.clock()
        body = json.dumps({"type": event, "timestamp": iso(now), "data": data}, separators=(",", ":"), allow_nan=False)
        document = DeliveryDocument(id=id, owner=owner, url=url, event=event, body=body, created_ms=now, next_ms=now)
        if self._blobs.put_if_absent(_blob(id), document.model_dump_json().encode()):
            self._enter(document)

    def get(self, id: str) -> DeliveryDocument:
        """Raises DeliveryNotFound."""
        with redis_errors():
            text = self._redis.get(_key(id))
        if text is not None:
            return DeliveryDocument.model_validate_json(text)
        if is_delivery_id(id):
            with contextlib.suppress(BlobNotFound):
                return DeliveryDocument.model_validate_json(self._blobs.get(_blob(id)))
        raise DeliveryNotFound(f"there is no webhook delivery {id}")

    def newest(self, owner: str | None, limit: int, before: str | None = None) -> list[DeliveryDocument]:
        """The owner's newest deliveries, or everybody's, newest first. before: an id, to go on after it."""
        log_key, start, found = _log(owner), 0, list[DeliveryDocument]()
        with redis_errors():
            if before is not None:
                rank = self._redis.zrevrank(log_key, before)
                if rank is None:  # it was trimmed, and all before it
                    return []
                start = rank + 1
            while len(found) < limit and (ids := self._redis.zrevrange(log_key, start, start + _PAGE - 1)):
                texts = self._redis.mget([_key(each) for each in ids])
                found += [DeliveryDocument.model_validate_json(text) for text in texts if text is not None]
                start += _PAGE
        return found[:limit]

    def replay(self, id: str) -> DeliveryDocument:
        """Queue a delivery again: the same id and body, at once. Raises DeliveryNotFound."""
        document = queued_again(self.get(id), self.clock())
        self.save(document)
        return document

    def due(self, limit: int) -> list[str]:
        """Ids of deliveries whose time has come, those that wait longest first."""
        with redis_errors():
            return list(self._redis.zrange(_SCHEDULE, "-inf", self.clock(), byscore=True, offset=0, num=limit))

    def claim(self, id: str, seconds: float) -> DeliveryDocument | None:
        """A due delivery, which is nobody else's for so long; None if it is not due any more."""
        now = self.clock()
        with redis_errors():
            if not self._claim(keys=[_SCHEDULE], args=[id, now, now + round(seconds * 1000)]):
                return None
        try:
            document = self.get(id)
        except DeliveryNotFound:
            document = None
        if document is None or document.state is not DeliveryState.PENDING:
            self._unschedule(id)
            return None
        return document

    def put_off(self, id: str, seconds: float) -> None:
        """Give a claimed delivery back, due in so many seconds."""
        with redis_errors():
            self._redis.zadd(_SCHEDULE, {id: self.clock() + round(seconds * 1000)}, xx=True)

    def save(self, document: DeliveryDocument) -> None:
        """Write what has become of a delivery: into Redis first, so that a blob which stays is known to be old."""
        with redis_errors(), self._redis.pipeline() as pipe:
            self._write(pipe, document)
            if document.next_ms is None:
                pipe.zrem(_SCHEDULE, document.id)
            else:
                pipe.zadd(_SCHEDULE, {document.id: document.next_ms})
            pipe.execute()
        if document.state is DeliveryState.PENDING:
            self._blobs.put(_blob(document.id), document.model_dump_json().encode())
        else:
            self._blobs.delete(_blob(document.id))

    def reconcile(self) -> None:
        """Enter what is pending and Redis has lost; delete the blobs that an outage has left of others."""
        found = [key.removeprefix(_PENDING).removesuffix(".json") for key in self._blobs.list(_PENDING)]
        ids = list(filter(is_delivery_id, found))
        with redis_errors():
            times = self._redis.zmscore(_SCHEDULE, ids) if ids else []
        for lost in [each for each, time in zip(ids, times, strict=True) if time is None]:
            try:
                self._take_up(lost)
            except ServiceUnavailable:
                raise
            except Exception:
                log.exception("webhook delivery %s cannot be looked after", lost)

    def _take_up(self, id: str) -> None:
        try:
            document = self.get(id)
        except DeliveryNotFound:  # it has just ended
            return
        if document.state is DeliveryState.PENDING:
            self._enter(document)
        else:
            self._blobs.delete(_blob(id))

    def _enter(self, document: DeliveryDocument) -> None:
        """Into Redis, unless it is there."""
        with redis_errors(), self._redis.pipeline() as pipe:
            self._write(pipe, document, only_new=True)
            if document.next_ms is not None:
                pipe.zadd(_SCHEDULE, {document.id: document.next_ms}, nx=True)
            pipe.execute()

    def _write(self, pipe: Pipeline, document: DeliveryDocument, *, only_new: bool = False) -> None:
        """The log's part of a transaction."""
        pipe.set(_key(document.id), document.model_dump_json(), ex=LOG_SECONDS, nx=only_new)
        for log_key in (_log(None), _log(document.owner)):
            pipe.zadd(log_key, {document.id: document.created_ms})
            pipe.zremrangebyrank(log_key, 0, -LOG_LENGTH - 1)
            pipe.expire(log_key, LOG_SECONDS)

    def _unschedule(self, id: str) -> None:
        with redis_errors():
            self._redis.zrem(_SCHEDULE, id)


def _key(id: str) -> str:
    return f"regrow:delivery:{id}"


def _blob(id: str) -> str:
    return f"{_PENDING}{id}.json"


def _log(owner: str | None) -> str:
    return _LOG if owner is None else f"{_LOG}:{owner}"
