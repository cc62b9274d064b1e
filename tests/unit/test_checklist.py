"""docs/CHECKLIST.md and the tests that cite its rows hold each other to account."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

NAMES = re.compile(r"\bdef test_((?:[A-Z]\d{1,2}_)+)")
PARAMETERS = re.compile(r"[\"'(\[]([A-Z]\d{1,2})(?=[_\- \"'\]):,])")


def rows() -> set[str]:
    return set(re.findall(r"^\| ([A-Z]\d{1,2}) \|", (ROOT / "docs" / "CHECKLIST.md").read_text(), re.MULTILINE))


def cited() -> dict[str, Path]:
    """Each row that the name or a parameter of a test cites, and one file that does."""
    found = {}
    kinds = {row[0] for row in rows()}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        text = file.read_text()
        named = [row for names in NAMES.findall(text) for row in names.split("_")[:-1]]
        found |= {row: file for row in named + PARAMETERS.findall(text) if row[0] in kinds}
    return found


def test_every_row_has_a_test() -> None:
    assert sorted(rows() - set(cited())) == []


def test_every_row_that_a_test_cites_is_there() -> None:
    assert {row: str(file) for row, file in cited().items() if row not in rows()} == {}
