"""What Redis' errors become: those of the server an outage, also such as nobody has heard of; our own stay bugs."""

from __future__ import annotations

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, RedisError, ResponseError

from regrow.core.errors import ServiceUnavailable, StorageFull
from regrow.core.stores.redis import redis_errors


def _sent(text: str) -> RedisError:
    """The client's error for what a server sends."""
    error: RedisError = BaseParser.parse_error(text)
    return error


REFUSALS = [
    "READONLY You can't write against a read only replica.",
    "READONLY You can't write against a read only replica. script: 4e1243, on @user_script:1.",
    "NOREPLICAS Not enough good replicas to write.",
    "NOPERM User default has no permissions to run the 'set' command",
    "ERR ACL failure in script: User default has no permissions to run the 'set' command script: on @user_script:1.",
    "LOADING Valkey is loading the dataset in memory",
    "BUSY Valkey is busy running a script.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN Hash slot not served",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "ERR max number of clients reached",
    "NEVERHEARDOF of a release to come",
]


@pytest.mark.parametrize("text", REFUSALS, ids=lambda text: text.split()[0])
def test_A4_what_the_server_refuses_is_an_outage(text: str) -> None:
    with pytest.raises(ServiceUnavailable, match="try again") as refused, redis_errors():
        raise _sent(text)
    assert "ACL" in text or text.split()[0] in str(refused.value)


def test_A4_in_a_pipeline_it_is_one_too() -> None:
    with pytest.raises(ServiceUnavailable, match="NOREPLICAS"), redis_errors():
        raise ResponseError("Command # 1 (SET a 1) of pipeline caused error: NOREPLICAS Not enough good replicas.")


def test_what_cannot_be_reached_is_an_outage() -> None:
    with pytest.raises(ServiceUnavailable, match="cannot be reached"), redis_errors():
        raise RedisConnectionError("Connection refused.")


@pytest.mark.parametrize(
    "text", ["MISCONF Errors writing to the AOF file: No space left on device", "OOM command not allowed"]
)
def test_a_full_disk_or_memory_under_redis_is_no_bug(text: str) -> None:
    with pytest.raises(StorageFull), redis_errors():
        raise _sent(text)


@pytest.mark.parametrize(
    "error",
    [
        _sent("WRONGTYPE Operation against a key holding the wrong kind of value"),
        _sent("ERR user_script:1: attempt to perform arithmetic on a nil value script: on @user_script:1."),
        _sent("ERR unknown command 'NOPE'"),
        _sent("NOSCRIPT No matching script."),
        DataError("Invalid input of type: 'NoneType'."),
    ],
    ids=str,
)
def test_a_bug_of_ours_stays_one(error: RedisError) -> None:
    with pytest.raises(type(error)), redis_errors():
        raise error
