"""ARCHITECTURE.md names what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.findall(
    r"`((?:api|benchmarks|client|cli|core|docs|sweeper|worker)/[\w./-]*)`", (ROOT / "ARCHITECTURE.md").read_text()
)


@pytest.mark.parametrize("path", sorted(set(NAMED)))
def test_what_it_points_to_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_it_shows_every_room() -> None:
    rooms = [path.parent.name for path in (ROOT / "core" / "codec").glob("*/__init__.py")]
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert len(rooms) > 1
    assert [room for room in rooms if f" {room} " not in text] == []
