"""Logs: lines for people, or JSON for machines, with the request and the job that each belongs to."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum

from pythonjsonlogger.json import JsonFormatter

from regrow.core.times import iso

SHOWN = ("request_id", "job_id")
"""The fields that lines for people show."""

_CONTEXT: ContextVar[dict[str, str]] = ContextVar("regrow_log_context")


class LogFormat(StrEnum):
    """How a log's lines are written: for people, or as a JSON object each."""

    TEXT = "text"
    JSON = "json"


@contextmanager
def log_context(**fields: str | None) -> Iterator[None]:
    """Have every line that is logged in the block, by this thread or task, carry these fields too."""
    known = {name: value for name, value in fields.items() if value is not None}
    token = _CONTEXT.set(current_context() | known)
    try:
        yield
    finally:
        _CONTEXT.reset(token)


def current_context() -> dict[str, str]:
    """The fields that a line logged here would carry."""
    return _CONTEXT.get({})


def configure_logging(kind: LogFormat, level: str) -> None:
    """Have this process log to stderr; other libraries' lines only from WARNING on."""
    handler = logging.StreamHandler()
    handler.addFilter(_add_context)
    handler.setFormatter(_JsonFormatter() if kind is LogFormat.JSON else _TextFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("regrow").setLevel(level)


def _add_context(record: logging.LogRecord) -> bool:
    """As a filter: the fields become the record's own, where formatters find them."""
    for name, value in current_context().items():
        setattr(record, name, value)
    return True


class _UtcTimes(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """ISO 8601 with milliseconds."""
        del datefmt
        return iso(record.created * 1000)


class _JsonFormatter(_UtcTimes, JsonFormatter):
    """One object per line: time, level, logger, message, and whatever else the record has."""

    def __init__(self) -> None:
        names = {"asctime": "time", "levelname": "level", "name": "logger"}
        super().__init__([*names, "message"], rename_fields=names)


class _TextFormatter(_UtcTimes):
    """`time LEVEL logger [request_id=... job_id=...] message`"""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(where)s%(message)s")

    def format(self, record: logging.LogRecord) -> str:
        found = [f"{name}={value}" for name in SHOWN if (value := getattr(record, name, None)) is not None]
        record.where = f"[{' '.join(found)}] " if found else ""
        return super().format(record)
