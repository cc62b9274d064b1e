"""The client's patience, against a server that answers what the test says."""

from __future__ import annotations

import json

import httpx
import pytest

from cli import client as module
from cli.client import POLL_SECONDS, Client

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
