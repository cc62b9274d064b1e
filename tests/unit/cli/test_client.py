"""The client's patience, against a server that answers what the test says."""

from __future__ import annotations

import json

import httpx
import pytest

from cli import client as module
from cli.client import POLL_SECONDS, Client, ServerError

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
