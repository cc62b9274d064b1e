"""Ways in which a real Valkey answers, and yet refuses to work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from redis import Redis


@dataclass(frozen=True)
class Refusal:
    """code: of the errors that it makes."""

    code: str
    begin: Callable[[Redis], object]
    end: Callable[[Redis], object]


REFUSALS = (
    Refusal(
        "READONLY",  # a failover has made it a replica
        lambda redis: redis.execute_command("REPLICAOF", "127.0.0.1", "1"),
        lambda redis: redis.execute_command("REPLICAOF", "NO", "ONE"),
    ),
    Refusal(
        "NOREPLICAS",
        lambda redis: redis.config_set("min-replicas-to-write", 1),
        lambda redis: redis.config_set("min-replicas-to-write", 0),
    ),
    Refusal(
        "NOPERM",
        lambda redis: redis.execute_command("ACL", "SETUSER", "default", "-@write"),
        lambda redis: redis.execute_command("ACL", "SETUSER", "default", "+@all"),
    ),
)
