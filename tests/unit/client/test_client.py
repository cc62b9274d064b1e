"""Both clients, against a server that answers what the test says."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import httpx
import pytest

from regrow.api.bodies.groups import GroupBody, GroupItem
from regrow.api.bodies.jobs import JobBody
from regrow.api.submit.options import EncodeOptions as ApiOptions
from regrow.client import (
    FINAL_STATES,
    AsyncClient,
    Busy,
    Client,
    Conflict,
    EncodeOptions,
    Group,
    GroupImage,
    InvalidClientSettings,
    InvalidRequest,
    Job,
    NotFound,
    PictureKind,
    Refused,
    ServerFailure,
    UnexpectedAnswer,
    Unreachable,
)
from regrow.client.session import ENVIRONMENT, POLL_SECONDS
from regrow.core.codec.picture_files import FileKind
from regrow.core.jobs import model

ID = "0" * 32
JOB: dict[str, Any] = {
    **dict.fromkeys(Job.model_fields),
    "id": ID,
    "steps": [],
    "owner": "local",
    "state": "fitting",
    "phase": "",
    "priority": "normal",
    "profile": "rules",
    "preset": "small",
    "effort": "draft",
    "seed": "scaffold",
    "width": 8,
    "height": 8,
    "progress": 0.0,
    "patches_done": 0,
    "patches_total": 1,
    "patches_failed": 0,
    "attempts": 0,
    "created_at": "2026-11-27T00:00:00.000Z",
    "links": {},
}

Answer = Callable[[httpx.Request], httpx.Response]


def _job(state: str) -> dict[str, Any]:
    return JOB | {"state": state}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that clients waited, which take no time."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return pauses


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Calls a method of a new client, of either kind, whose server is a function."""

    def call_sync(answer: Answer, method: str, *args: Any, **options: Any) -> Any:
        with Client("http://test/below", "key", 60, httpx.MockTransport(answer)) as client:
            found = getattr(client, method)(*args, **options)
            return list(found) if method == "events" else found

    def call_async(answer: Answer, method: str, *args: Any, **options: Any) -> Any:
        async def run() -> Any:
            async with AsyncClient("http://test/below", "key", 60, httpx.MockTransport(answer)) as client:
                found = getattr(client, method)(*args, **options)
                return [each async for each in found] if method == "events" else await found

        return asyncio.run(run())

    return call_sync if request.param == "sync" else call_async


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], str, Any]] = [
    ("submit", (b"data",), {"effort": "draft", "max_bytes": 9}, "POST /encode?effort=draft&max_bytes=9", JOB),
    ("job", (ID,), {}, f"GET /jobs/{ID}", JOB),
    ("jobs", (["failed"], 5, ID), {}, f"GET /jobs?limit=5&state=failed&cursor={ID}", {"jobs": [JOB], "next": None}),
    ("cancel", (ID,), {}, f"POST /jobs/{ID}/cancel", JOB),
    ("retry", (ID,), {}, f"POST /jobs/{ID}/retry", JOB),
    ("delete", (ID,), {}, f"DELETE /jobs/{ID}", None),
    ("bundle", (ID,), {}, f"GET /jobs/{ID}/bundle", b"GNCA"),
    ("report", (ID,), {}, f"GET /jobs/{ID}/report", {"psnr": 30.0}),
    ("source", (ID,), {}, f"GET /jobs/{ID}/source.png", b"PNG"),
    (
        "picture",
        (ID, "jpg"),
        {"crop": (1, 2, 3, 4), "scale": 2},
        f"GET /decode/{ID}.jpg?crop=1%2C2%2C3%2C4&scale=2",
        b"x",
    ),
    ("picture", (ID, "webp"), {"animate": True}, f"GET /decode/{ID}.webp?animate=true", b"x"),
    ("decode", (b"GNCA", "png"), {"step": 3}, "POST /decode?step=3&kind=png", b"x"),
    ("cancel_group", (ID,), {}, f"POST /groups/{ID}/cancel", None),
    ("delete_group", (ID,), {}, f"DELETE /groups/{ID}", None),
    ("fetch", (f"/below/jobs/{ID}/bundle",), {}, f"GET /jobs/{ID}/bundle", b"x"),
]


@pytest.mark.parametrize(("method", "args", "options", "expected", "body"), CALLS)
def test_calls_are_these_requests(
    method: str, args: Any, options: Any, expected: str, body: Any, call: Callable[..., Any]
) -> None:
    seen: list[httpx.Request] = []
    if method == "cancel_group":
        body = _group()

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body)
        return httpx.Response(200, content=content)

    found = call(answer, method, *args, **options)
    (request,) = seen
    assert f"{request.method} {request.url.raw_path.decode().removeprefix('/below')}" == expected
    assert request.headers["authorization"] == "Bearer key"
    if isinstance(body, bytes) or method in ("report", "delete", "delete_group"):
        assert found == body


def _group() -> dict[str, Any]:
    image = dict.fromkeys(GroupImage.model_fields) | {"name": "a.png"}
    numbers = dict.fromkeys(("images", "refused", "left_out", "patches_done", "patches_total", "bytes"), 1)
    words = {"id": ID, "owner": "local", "created_at": "2026-11-27T00:00:00.000Z", "ended": True, "progress": 1.0}
    return {**numbers, **words, "states": {}, "eta_seconds": None, "items": [image], "links": {}}


def test_the_same_images_and_options_have_the_same_key(call: Callable[..., Any]) -> None:
    keys: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        return httpx.Response(202, json=_group())

    for name, options in (("a", {}), ("a", {}), ("b", {}), ("a", {"seed_number": 1})):
        group = call(answer, "submit_group", [(f"{name}.png", b"data")], **options)
        assert group.items[0].has_ended
    assert len(set(keys)) == 3
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, NotFound), (409, Conflict), (410, Conflict), (422, InvalidRequest), (500, ServerFailure), (503, Busy)],
)
def test_problems_are_errors(status: int, kind: type[Refused], call: Callable[..., Any]) -> None:
    errors = [{"field": "effort", "message": "wrong"}]
    problem = {
        "type": "/below/problems/some-type",
        "title": "Some",
        "status": status,
        "detail": "why",
        "errors": errors,
    }
    with pytest.raises(kind, match="why") as raised:
        call(lambda _: httpx.Response(status, json=problem), "job", ID)
    assert (raised.value.status, raised.value.type, raised.value.detail) == (status, "some-type", "why")
    assert raised.value.errors[0].field == "effort"


def test_an_error_that_is_no_problem_says_its_status(call: Callable[..., Any]) -> None:
    with pytest.raises(ServerFailure, match="the server answered 502 Bad Gateway") as raised:
        call(lambda _: httpx.Response(502, text="<html></html>"), "job", ID)
    assert raised.value.type == ""


def test_what_passes_is_waited_for(call: Callable[..., Any], pauses: list[float]) -> None:
    answers = [httpx.ConnectError("no"), httpx.Response(429, headers={"Retry-After": "3"}), httpx.Response(503)]
    answers[2].headers["Retry-After"] = "Sat, 28 Nov 2026 00:00:00 GMT"  # type: ignore[union-attr]

    def answer(_: httpx.Request) -> httpx.Response:
        if not answers:
            return httpx.Response(200, json=JOB)
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    assert call(answer, "job", ID).id == ID
    assert pauses == [0.5, 3.0, 6.0]


def test_patience_ends(call: Callable[..., Any]) -> None:
    with pytest.raises(Busy):
        call(lambda _: httpx.Response(429, headers={"Retry-After": "61"}), "job", ID)


@pytest.mark.parametrize("status", [200, 503])
def test_events_that_end_at_once_are_not_asked_for_without_a_pause(
    status: int, call: Callable[..., Any], pauses: list[float]
) -> None:
    states = ["fitting"] * 4 + ["succeeded"]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            return httpx.Response(status, text=": the service is busy, come again\n\n")
        return httpx.Response(200, json=_job(states.pop(0)))

    assert call(answer, "wait", ID).state == "succeeded"
    assert pauses == [POLL_SECONDS] * 3


def test_a_group_is_waited_for(call: Callable[..., Any], pauses: list[float]) -> None:
    ended = [False, True]
    assert call(lambda _: httpx.Response(200, json=_group() | {"ended": ended.pop(0)}), "wait_for_group", ID).ended
    assert pauses == [POLL_SECONDS]


def _event(kind: str, number: int, job: dict[str, Any]) -> str:
    return f"event: {kind}\ndata: {json.dumps(job, ensure_ascii=False)}\nid: {number}-0\n\n"


def test_events_go_on_where_a_connection_broke(call: Callable[..., Any], pauses: list[float]) -> None:
    error = {"type": "odd", "message": "a line\u2028separator"}
    streams = [
        "retry: 2000\n\n" + _event("state", 1, JOB) + ": ping\n\n" + _event("progress", 2, JOB) + "event: progr",
        "retry: 2000\n\n: the service is busy, come again\n\n",
        _event("state", 3, _job("failed") | {"error": error}),
    ]
    asked: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("last-event-id"))
        return httpx.Response(200, text=streams.pop(0))

    events = call(answer, "events", ID)
    assert [(event.kind, event.id, event.is_last) for event in events] == [
        ("state", "1-0", False),
        ("progress", "2-0", False),
        ("state", "3-0", True),
    ]
    assert events[-1].job.error.message == error["message"]
    assert asked == [None, "2-0", "2-0"]
    assert pauses == [POLL_SECONDS] * 2


def test_events_end_with_a_deleted_job(call: Callable[..., Any]) -> None:
    (event,) = call(lambda _: httpx.Response(200, text=_event("deleted", 1, {"id": ID})), "events", ID)
    assert (event.kind, event.job, event.is_last) == ("deleted", None, True)


def test_nothing_follows_an_end_that_was_seen(call: Callable[..., Any]) -> None:
    assert call(lambda _: httpx.Response(204), "events", ID) == []


def test_events_of_no_job_are_an_error(call: Callable[..., Any]) -> None:
    with pytest.raises(NotFound):
        call(lambda _: httpx.Response(404, json={}), "events", ID)


@pytest.mark.parametrize("method", ["job", "events"])
def test_what_is_no_regrow_is_named(method: str, call: Callable[..., Any]) -> None:
    with pytest.raises(UnexpectedAnswer, match="no Regrow of this release"):
        call(lambda _: httpx.Response(200, text="data: <html></html>\n\n"), method, ID)


def test_a_server_that_never_answered_is_given_up_soon(call: Callable[..., Any], pauses: list[float]) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise httpx.UnsupportedProtocol("ftp")

    with pytest.raises(Unreachable, match="cannot be reached: ftp"):
        call(answer, "job", ID)
    assert pauses == []


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_a_key_with_a_line_end_is_refused(client: Callable[..., object]) -> None:
    with pytest.raises(InvalidClientSettings, match="a line's end"):
        client("http://test", key="key\r")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks://127.0.0.1:1080"),
        ("all_proxy", "socks5://user:secret@proxy:1080"),
        ("HTTPS_PROXY", "http://proxy:port"),
        ("SSL_CERT_FILE", "/nowhere"),
    ],
)
@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_D3_settings_of_the_environment_are_named_and_do_not_matter_here(
    client: Callable[..., object], name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ENVIRONMENT:
        monkeypatch.delenv(other, raising=False)
        monkeypatch.delenv(other.upper(), raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidClientSettings, match=f"^{name}: .* cannot be used") as raised:
        client("https://regrow.example")
    assert "secret" not in str(raised.value)
    for server in ("http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"):
        client(server)


@pytest.mark.parametrize("server", ["http://[::1", "http://host:port"])
def test_D3_what_is_no_address_is_said(server: str) -> None:
    with pytest.raises(InvalidClientSettings, match="is no address"):
        Client(server)


def test_both_clients_have_the_same_methods() -> None:
    def methods(client: type) -> set[str]:
        return {name for name in vars(client) if not name.startswith("_")}

    assert methods(Client) == methods(AsyncClient)


def test_the_client_knows_what_the_api_says() -> None:
    for known, said in ((Job, JobBody), (Group, GroupBody), (GroupImage, GroupItem)):
        assert set(known.model_fields) == set(said.model_fields)
    assert FINAL_STATES == model.FINAL_STATES
    assert set(get_args(PictureKind)) == {*FileKind, "gif"}


def test_the_client_knows_the_options_of_the_api() -> None:
    hints, fields = get_type_hints(EncodeOptions), ApiOptions.model_fields
    assert set(hints) == set(fields)
    for name, hint in hints.items():
        if choices := get_args(hint):
            annotation = fields[name].annotation
            (kind,) = [each for each in get_args(annotation) or (annotation,) if each is not type(None)]
            assert sorted(choices) == sorted(kind)
