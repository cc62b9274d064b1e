"""docs/OPERATIONS.md names the settings that exist, with the defaults they have."""

from __future__ import annotations

import re
from pathlib import Path

from regrow.api.settings import ApiSettings
from regrow.core.jobs.settings import ServiceSettings
from regrow.worker.settings import WorkerSettings

TEXT = (Path(__file__).parents[2] / "docs" / "OPERATIONS.md").read_text()
FIELDS = {
    f"REGROW_{name.upper()}": field
    for cls in (ServiceSettings, ApiSettings, WorkerSettings)
    for name, field in cls.model_fields.items()
}


def test_every_variable_exists() -> None:
    named = set(re.findall(r"`(REGROW_[A-Z_]+)`", TEXT))
    assert named
    assert named <= set(FIELDS)


def test_durations_are_the_defaults() -> None:
    rows = re.findall(r"^\| `(REGROW_[A-Z_]+)` \| `PT(\d+)S`", TEXT, re.MULTILINE)
    assert len(rows) >= 4
    for name, seconds in rows:
        assert FIELDS[name].default.total_seconds() == int(seconds), name
