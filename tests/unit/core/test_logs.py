from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from regrow.core.logs import LogFormat, configure_logging, log_context


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root, regrow = logging.getLogger(), logging.getLogger("regrow")
    before, level, own = root.handlers[:], root.level, regrow.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    regrow.setLevel(own)


def test_json_lines_carry_their_context(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.JSON, "INFO")
    log = logging.getLogger("regrow.test")
    with log_context(request_id="r1"), log_context(job_id="j1", other=None):
        log.info("a %s\nin two lines", "message", extra={"bytes": 7})
    log.warning("outside")
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("failed")
    first, second, third = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["time"].endswith("Z")
    assert {name: first[name] for name in ("level", "logger", "message", "request_id", "job_id", "bytes")} == {
        "level": "INFO",
        "logger": "regrow.test",
        "message": "a message\nin two lines",
        "request_id": "r1",
        "job_id": "j1",
        "bytes": 7,
    }
    assert "request_id" not in second
    assert "ValueError: broken" in third["exc_info"]


def test_lines_for_people_show_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.TEXT, "INFO")
    log = logging.getLogger("regrow.test")
    with log_context(request_id="r1", job_id="j1"):
        log.info("hello")
    log.info("bye")
    logging.getLogger("other").info("not shown")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(" INFO regrow.test [request_id=r1 job_id=j1] hello")
    assert second.endswith(" INFO regrow.test bye")


def test_levels(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.TEXT, "WARNING")
    logging.getLogger("regrow.test").info("quiet")
    assert capsys.readouterr().err == ""
