from __future__ import annotations

import pytest

from regrow.api.asgi.hosts import host_name, is_answered
from regrow.api.settings import ApiSettings
from regrow.core.errors import InvalidSettings


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *(("localhost", True), ("LocalHost.:80", True), ("127.0.0.1:8000", True), ("[::1]:8000", True)),
        *(("regrow.lan", True), ("REGROW.LAN:443", True), ("10.0.0.7:8000", True), ("[fd00::1]", True)),
        *(("evil.example", False), ("regrow.lan.evil.example", False), ("10.0.0.8", False), ("localhost@evil", False)),
        *(("", False), ("regrow.lan:port", False), ("a regrow.lan", False), ("[::2]", False), ("x.localhost", False)),
    ],
)
def test_S3_names_that_are_answered(host: str, expected: bool) -> None:
    """S3"""
    assert is_answered([host], ("regrow.lan", "fd00::1"), "0.0.0.0", "10.0.0.7") is expected


def test_S3_two_names_are_none() -> None:
    assert not is_answered(["localhost", "localhost"], (), "127.0.0.1", None)
    assert not is_answered([], (), "127.0.0.1", None)
    assert is_answered(["anything.example"], ("*",), "127.0.0.1", None)


@pytest.mark.parametrize("text", ["http://regrow.lan", "regrow.lan:8000", "", "a b", "*.example.org"])
def test_S3_what_is_no_name_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        host_name(text)
    monkeypatch.setenv("REGROW_ALLOWED_HOSTS", f'["{text}"]')
    with pytest.raises(InvalidSettings, match=r"^REGROW_ALLOWED_HOSTS: .*host name") as refused:
        ApiSettings()
    assert "\n" not in str(refused.value)


def test_S3_names_are_compared_in_small_letters() -> None:
    assert [host_name(text) for text in ("Regrow.LAN", "[FD00::1]", "fd00::1")] == ["regrow.lan", "fd00::1", "fd00::1"]
