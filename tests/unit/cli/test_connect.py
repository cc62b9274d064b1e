"""What the command line makes of an environment that httpx would not take."""

from __future__ import annotations

import os

import pytest

from regrow.cli.connect import connect
from regrow.client.session import ENVIRONMENT


def test_D3_an_exception_that_is_no_address_costs_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for other in ENVIRONMENT:
        monkeypatch.delenv(other, raising=False)
        monkeypatch.delenv(other.upper(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:8080")
    monkeypatch.setenv("NO_PROXY", "localhost, fe80::/10,[::1]:80,10.0.0.0/8,.example,http://a.example,fd00::1,a:b")
    with connect("https://regrow.example", None):
        pass
    assert os.environ["NO_PROXY"] == "localhost,10.0.0.0/8,.example,http://a.example,fd00::1"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("regrow: NO_PROXY: left out")
    assert "fe80::/10" in line
