"""A client of Redis, and its errors as ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from regrow.core.errors import ServiceUnavailable, StorageFull
from regrow.core.stores.redis_client import RedisClient

MOST_CONNECTIONS = 1000
"""More than any process has threads."""


_BUGS = frozenset({"ERR", "WRONGTYPE", "NOSCRIPT", "EXECABORT", "CROSSSLOT"})
"""Codes of errors that are made by what was sent. Every other code tells of the server: read-only after a failover,
short of replicas or of rights, loading, busy, and whatever releases to come may add."""


_OUTAGES = (RedisConnectionError, RedisTimeoutError, InvalidResponse)
"""Whatever code the server may have given: it says of itself that it has too many clients with ERR."""


_CODE = re.compile(r"(?:^|caused error: )-?([A-Z][A-Z0-9_]+) ")


def connect(redis_url: str, *, retries: int = 0) -> RedisClient:
    """A client that gives up on a dead server within a second, and on a silent one within two.

    retries: of what a cut connection left without an answer, which may so be done twice.
    """
    redis = Redis.from_url(
        redis_url,
        decode_responses=True,
        socket_connect_timeout=1,
        socket_timeout=1.5,
        health_check_interval=10,
        max_connections=MOST_CONNECTIONS,
        retry=Retry(NoBackoff(), retries, supported_errors=(RedisConnectionError,)),
    )
    return cast("RedisClient", redis)


@contextmanager
def redis_errors() -> Iterator[None]:
    """Redis' errors as ours; a bug of the caller or of a script stays as it is."""
    try:
        yield
    except RedisError as error:
        code = code_of(error)
        if not isinstance(error, _OUTAGES) and (code in _BUGS or not isinstance(error, ResponseError)):
            raise
        if code == "OOM":
            raise StorageFull("Redis has no memory left") from error
        if code == "MISCONF":
            raise StorageFull("Redis cannot write to its disk: it is full or broken") from error
        said = f"{code} {error}" if code in _BUGS else code
        what = "cannot be reached" if said is None else f"refuses to work ({said})"
        raise ServiceUnavailable(f"Redis {what}: try again in a few seconds") from error


def code_of(error: RedisError) -> str | None:
    """The word that a server's error begins with, such as READONLY; None for an error that no server sent."""
    if isinstance(error, ResponseError) and "ACL failure in script" in str(error):
        return "NOPERM"  # which comes as ERR
    found = _CODE.search(str(error)) if error.status_code is None and isinstance(error, ResponseError) else None
    return found[1] if found else error.status_code
