"""The client's patience, against a server that answers what the test says."""

from __future__ import annotations

import json
import os

import httpx
import pytest

from regrow.cli import client as module
from regrow.cli.client import ENVIRONMENT, POLL_SECONDS, Client, ServerError
from regrow.core.errors import InvalidSettings

COUNTS = {"patches_total": 1, "patches_done": 0, "progress": 0.0}


def _job(state: str) -> dict[str, object]:
    return {
        "id": "0" * 32,
        "state": state,
        "patches_total": 1,
        "patches_done": 0,
        "progress": 0.0,
        "links": {},
        "psnr": None,
        "bytes": None,
        "error": None,
    }


@pytest.mark.parametrize("status", [200, 503])
def test_events_that_end_at_once_are_not_asked_for_without_a_pause(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = ["fitting"] * 4 + ["succeeded"]
    pauses: list[float] = []
    monkeypatch.setattr(module.time, "sleep", pauses.append)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            return httpx.Response(status, text=": the service is busy, come again\n\n")
        return httpx.Response(200, content=json.dumps(_job(states.pop(0))))

    client = Client("http://test")
    client._http = httpx.Client(base_url="http://test", transport=httpx.MockTransport(answer))
    assert client.wait("0" * 32).state == "succeeded"
    assert pauses == [POLL_SECONDS] * 3


def test_what_is_no_regrow_is_named() -> None:
    client = Client("http://test")
    answer = httpx.MockTransport(lambda _: httpx.Response(200, text="<html></html>"))
    client._http = httpx.Client(base_url="http://test", transport=answer)
    with pytest.raises(ServerError, match="no Regrow of this release"):
        client.job("0" * 32)


def test_a_key_with_a_line_end_is_refused() -> None:
    with pytest.raises(ServerError, match="a line's end"):
        Client("http://test", key="key\r")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks://127.0.0.1:1080"),
        ("all_proxy", "socks5://user:secret@proxy:1080"),
        ("HTTPS_PROXY", "http://proxy:port"),
        ("SSL_CERT_FILE", "/nowhere"),
    ],
)
def test_D3_settings_of_the_environment_are_named_and_do_not_matter_here(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ENVIRONMENT:
        monkeypatch.delenv(other, raising=False)
        monkeypatch.delenv(other.upper(), raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=f"^{name}: .* cannot be used") as raised:
        Client("https://regrow.example")
    assert "secret" not in str(raised.value)
    for server in ("http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"):
        with Client(server):
            pass


def test_D3_an_exception_that_is_no_address_costs_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for other in ENVIRONMENT:
        monkeypatch.delenv(other, raising=False)
        monkeypatch.delenv(other.upper(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:8080")
    monkeypatch.setenv("NO_PROXY", "localhost, fe80::/10,[::1]:80,10.0.0.0/8,.example,http://a.example,fd00::1,a:b")
    with Client("https://regrow.example"):
        pass
    assert os.environ["NO_PROXY"] == "localhost,10.0.0.0/8,.example,http://a.example,fd00::1"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("regrow: NO_PROXY: left out")
    assert "fe80::/10" in line


@pytest.mark.parametrize("server", ["http://[::1", "http://host:port"])
def test_D3_what_is_no_address_is_said(server: str) -> None:
    with pytest.raises(ServerError, match="is no address"):
        Client(server)
