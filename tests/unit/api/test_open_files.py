"""Limits that know each other, and lines that are no flood."""

from __future__ import annotations

import logging

import pytest

from regrow.api.connections.floods import Seldom
from regrow.api.connections.open_files import BACKLOG, FEWEST, plan
from regrow.core.errors import InvalidSettings


@pytest.mark.parametrize("wanted", [1, 8, 1000, 100_000])
@pytest.mark.parametrize("files", [200, 256, 1024, 4096, 20_000, 1 << 62])
def test_S2_connections_fit_into_the_files(wanted: int, files: int) -> None:
    """S2"""
    found = plan(wanted, files)
    assert found.files <= files
    assert min(wanted, FEWEST) <= found.connections <= wanted
    assert 1 <= found.backlog <= BACKLOG


def test_S2_who_may_open_many_files_gets_what_was_asked_for() -> None:
    assert plan(1000, 20_000).connections == 1000
    assert plan(1000, 3000).connections == 1000
    assert 200 < plan(1000, 1024).connections < 500


def test_S2_too_few_files_are_refused_in_one_line() -> None:
    with pytest.raises(InvalidSettings, match=r"ulimit -n"):
        plan(1000, 64)


def _record(message: str, error: Exception | None = None) -> logging.LogRecord:
    info = (type(error), error, None) if error else None
    return logging.LogRecord("asyncio", logging.ERROR, __file__, 1, message, (), info)  # type: ignore[arg-type]


def test_S2_a_flood_is_one_line_without_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("regrow.api.connections.floods.time.monotonic", lambda: now[0])
    seldom, passed = Seldom(), []
    for _ in range(1000):
        record = _record("socket.accept() out of system resource\nsocket: <x>", OSError(24, "Too many open files"))
        if seldom.filter(record):
            passed.append(record)
    now[0] += 11
    last = _record("socket.accept() out of system resource\nsocket: <x>", OSError(24, "Too many open files"))
    assert seldom.filter(last)
    (first,) = passed
    assert first.exc_info is None
    assert "\n" not in first.getMessage()
    assert "999 times more" in last.getMessage()
    assert all(seldom.filter(_record("Exception in ASGI application")) for _ in range(3)), "bugs are told each time"
