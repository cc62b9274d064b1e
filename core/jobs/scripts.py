"""The Lua scripts, in `lua/`: every change of the queue that could race is one of them."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from redis import Redis
from redis.commands.core import Script

from regrow.core.stores.redis import redis_errors

_FOLDER = files("regrow.core.jobs") / "lua"


def load_script(redis: Redis, name: str) -> Script:
    """`lua/<name>.lua`, with what all scripts share in front of it."""
    text = (_FOLDER / "common.lua").read_text() + (_FOLDER / f"{name}.lua").read_text()
    script: Any = redis.register_script(text)
    return script  # type: ignore[no-any-return]


def probe(redis: Redis) -> None:
    """See that Redis takes what this service sends: a script that writes. Raises ServiceUnavailable."""
    with redis_errors():
        load_script(redis, "probe")(args=[])
