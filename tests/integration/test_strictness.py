"""What no route would hear is refused, with what was probably meant."""

from __future__ import annotations

import gzip

import httpx
import pytest

from regrow.api.app import create_app
from tests.pictures import smooth_file

ROUTES = [
    (method.upper(), path) for path, operations in create_app().openapi()["paths"].items() for method in operations
]
BODIES = [
    path
    for path, operations in create_app().openapi()["paths"].items()
    for operation in operations.values()
    if "requestBody" in operation
]


@pytest.mark.parametrize(("method", "path"), [*ROUTES, ("GET", "/admin"), ("GET", "/docs")])
def test_E5_no_route_takes_a_parameter_that_it_has_not(client: httpx.Client, method: str, path: str) -> None:
    """E5"""
    filled = path.format(id="0" * 32, kind="json" if "manifest" in path else "png", type="forbidden")
    answer = client.request(method, filled, params={"colour-of-the-sky": "blue"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-option")
    (error,) = answer.json()["errors"]
    assert error["field"] == "colour-of-the-sky"
    assert error["message"].startswith("there is no parameter colour-of-the-sky: ")


@pytest.mark.parametrize(
    ("method", "path", "meant"),
    [
        ("GET", "/jobs?status=failed", "did you mean state?"),
        ("GET", "/jobs?owner=bob", "there are cursor, limit, state"),
        ("GET", "/jobs?limt=3", "did you mean limit?"),
        ("GET", "/jobs?State=failed", "did you mean state?"),
        ("POST", "/decode?width=200", "did you mean scale or crop?"),
        ("GET", f"/decode/{'0' * 32}.png?width=200", "did you mean scale or crop?"),
        ("POST", "/groups?presets=small", "did you mean preset?"),
        ("GET", "/livez?x", "this takes none"),
        ("GET", "/webhooks/deliveries?page=2", "did you mean cursor?"),
    ],
)
def test_E5_what_was_meant_is_said(client: httpx.Client, method: str, path: str, meant: str) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 422
    assert answer.json()["detail"].endswith(meant)


def test_E5_all_that_is_unknown_is_named(client: httpx.Client) -> None:
    errors = client.get("/jobs?status=failed&owner=bob&limit=3").json()["errors"]
    assert [error["field"] for error in errors] == ["status", "owner"]


@pytest.mark.parametrize("path", ["/encode", "/groups"])
def test_E5_fields_of_a_form_too(client: httpx.Client, path: str) -> None:
    answer = client.post(path, files={"image": smooth_file(8, 8)}, data={"efort": "draft"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "efort", "message": "there is no parameter efort: did you mean effort?"}
    ]


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("coding", ["gzip", "GZIP", "br", "gzip, deflate"])
def test_D7_coded_bodies_are_refused_with_the_reason(client: httpx.Client, path: str, coding: str) -> None:
    """D7: not as what is no image."""
    headers = {"Content-Encoding": coding}
    answer = client.post(path, content=gzip.compress(smooth_file(8, 8)), headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")
    assert "without Content-Encoding" in answer.json()["detail"]
    assert answer.headers["accept-encoding"] == "identity"


def test_D7_a_body_may_be_said_to_be_as_it_is(client: httpx.Client) -> None:
    answer = client.post("/encode", content=smooth_file(8, 8), headers={"Content-Encoding": "identity"})
    assert answer.status_code == 202
