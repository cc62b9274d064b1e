"""The Lua scripts, in `lua/`: every change of the queue that could race is one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from core.errors import ServiceUnavailable, StorageFull

_FOLDER = files("core.jobs") / "lua"

MOST_CONNECTIONS = 1000
"""More than any process has threads."""


def load_script(redis: Redis, name: str) -> Script:
    """`lua/<name>.lua`, with what all scripts share in front of it."""
    text = (_FOLDER / "common.lua").read_text() + (_FOLDER / f"{name}.lua").read_text()
    script: Any = redis.register_script(text)
    return script  # type: ignore[no-any-return]


def connect(redis_url: str, *, retries: int = 0) -> Redis:
    """A client that gives up on a dead server within a second, and on a silent one within two.

    retries: of what a cut connection left without an answer, which may so be done twice.
    """
    return Redis.from_url(
        redis_url,
        decode_responses=True,
        socket_connect_timeout=1,
        socket_timeout=1.5,
        health_check_interval=10,
        max_connections=MOST_CONNECTIONS,
        retry=Retry(NoBackoff(), retries, supported_errors=(RedisConnectionError,)),
    )


@contextmanager
def redis_errors() -> Iterator[None]:
    """Redis' errors as ours; what is a fault of the caller stays as it is."""
    try:
        yield
    except OutOfMemoryError as error:
        raise StorageFull("Redis has no memory left") from error
    except (RedisConnectionError, RedisTimeoutError, ReadOnlyError) as error:
        raise ServiceUnavailable("Redis cannot be reached: try again in a few seconds") from error
    except ResponseError as error:
        if str(error).startswith("MISCONF"):
            raise StorageFull("Redis cannot write to its disk: it is full or broken") from error
        raise
