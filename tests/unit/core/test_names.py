"""Names of files, as they are shown."""

from __future__ import annotations

from regrow.core.names import printable


def test_D1_what_turns_the_direction_of_writing_is_escaped() -> None:
    assert printable("a\u202egnp.exe\u2066\u2069\u202a") == r"a\u202egnp.exe\u2066\u2069\u202a"
    assert printable("שלום.png") == "שלום.png"
