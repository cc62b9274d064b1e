"""The Lua scripts, in `lua/`: every change of the queue that could race is one of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from redis.commands.core import Script

from regrow.core.jobs.model import FINAL_STATES, JobState, Priority
from regrow.core.jobs.redis_keys import Field, Key
from regrow.core.jobs.work_unit import MOST_TRIES
from regrow.core.stores.redis import redis_errors
from regrow.core.stores.redis_client import RedisClient

_FOLDER = files("regrow.core.jobs") / "lua"


def load_script(redis: RedisClient, name: str) -> Script:
    """`lua/<name>.lua`, with what all scripts share in front of it."""
    text = _constants() + (_FOLDER / "common.lua").read_text() + (_FOLDER / f"{name}.lua").read_text()
    return redis.register_script(text)


def probe(redis: RedisClient) -> None:
    """See that Redis takes what this service sends: a script that writes. Raises ServiceUnavailable."""
    with redis_errors():
        load_script(redis, "probe")(args=[])


def _constants() -> str:
    """What Python and Lua must agree on, as Lua."""
    open_states = {str(state): "true" for state in JobState if state not in FINAL_STATES}
    priorities = ", ".join(f"'{priority}'" for priority in reversed(Priority))
    return (
        f"local KEY = {_table({key.name: repr(str(key)) for key in Key})}\n"
        f"local FIELD = {_table({field.name: repr(str(field)) for field in Field})}\n"
        f"local OPEN_STATES = {_table(open_states)}\n"
        f"local PRIORITIES = {{{priorities}}}\n"
        f"local MOST_TRIES = {MOST_TRIES}\n"
    )


def _table(values: Mapping[str, str]) -> str:
    """A Lua table. values: Lua expressions, by name."""
    return "{" + ", ".join(f"{name} = {value}" for name, value in values.items()) + "}"
