"""`GET /admin/processes`, with a real Valkey."""

from __future__ import annotations

import httpx
import pytest

from regrow.core.errors import ServiceUnavailable
from regrow.core.jobs.processes import ProcessRecord, ProcessRegistry, ProcessState
from regrow.core.stores.redis import connect
from tests.services import free_ports, wait_until

RECORD = ProcessRecord(
    name="API", pid=None, state=ProcessState.RESTARTING, restarts=2, last_exit="status 1", since="2026-01-01T00:00:00Z"
)


def _listed(client: httpx.Client) -> list[dict[str, object]]:
    processes: list[dict[str, object]] = client.get("/admin/processes").raise_for_status().json()["processes"]
    return processes


def test_what_was_reported_is_listed_until_it_expires(client: httpx.Client, redis_url: str) -> None:
    assert _listed(client) == []
    with connect(redis_url) as redis:
        registry = ProcessRegistry(redis)
        registry.report([RECORD, RECORD.model_copy(update={"name": "Valkey"})], expires_after=60)
        assert [process["name"] for process in _listed(client)] == ["API", "Valkey"]
        registry.report([RECORD], expires_after=60)
        assert _listed(client) == [RECORD.model_dump(mode="json")]
        registry.report([RECORD], expires_after=0.1)
        wait_until(lambda: _listed(client) == [], "the record's expiry", 10)


def test_redis_is_down() -> None:
    with connect(f"redis://127.0.0.1:{free_ports(1)[0]}/0") as redis:
        registry = ProcessRegistry(redis)
        with pytest.raises(ServiceUnavailable):
            registry.report([RECORD], expires_after=1)
        with pytest.raises(ServiceUnavailable):
            registry.all()
