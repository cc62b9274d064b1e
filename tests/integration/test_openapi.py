"""H12: schemathesis over the whole OpenAPI document, against a real API process and a real Valkey."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from regrow.api.app import create_app
from tests import services
from tests.archives import zip_of
from tests.pictures import smooth_file

schema = schemathesis.openapi.from_dict(create_app().openapi())

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]


@pytest.fixture(scope="module")
def server(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("openapi")
    environment = {"REGROW_REDIS_URL": redis_url, "REGROW_BLOB_FOLDER": str(folder / "blobs")}
    with services.api(environment, folder) as running:
        yield running.url


class Things:
    """What is there to be asked for. An example may have deleted it, or begun it again."""

    def __init__(self, server: str) -> None:
        self._http = httpx.Client(base_url=server)
        self._ids: dict[str, str] = {}

    def id_for(self, path: str) -> str:
        """The id of something that is there, for an operation's path."""
        kind = path.split("/")[1]
        looked_up = {"decode": "/jobs/", "webhooks": "/webhooks/deliveries/"}.get(kind, f"/{kind}/")
        found = self._http.get(looked_up + self._ids[kind]) if self._ids else None
        if found is None or found.status_code == 404:
            self._make()
        elif found.json().get("state") == "queued":  # one that is followed must have an end
            self._http.post(f"{looked_up}{self._ids[kind]}/cancel").raise_for_status()
        return self._ids[kind]

    def _make(self) -> None:
        told = {"webhook": "https://example.org/hook"}
        job = self._made("/encode", smooth_file(8, 8), params=told)
        group = self._made("/groups", zip_of({"a.png": smooth_file(8, 8)}))
        self._http.post(f"/jobs/{job}/cancel").raise_for_status()
        delivery = self._http.get("/webhooks/deliveries").json()["deliveries"][0]["id"]
        self._ids = {"jobs": job, "decode": job, "groups": group, "webhooks": delivery}

    def _made(self, path: str, data: bytes, params: dict[str, str] | None = None) -> str:
        made: str = self._http.post(path, content=data, params=params).raise_for_status().json()["id"]
        return made


@pytest.fixture(scope="module")
def things(server: str) -> Things:
    return Things(server)


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """One for all: to make one takes longer than most answers do."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


def _check(case: schemathesis.Case, server: str, session: requests.Session) -> None:
    case.call_and_validate(base_url=server, session=session, checks=CHECKS, timeout=60)


@schema.parametrize()
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_H12_every_answer_is_as_documented(case: schemathesis.Case, server: str, session: requests.Session) -> None:
    """H12"""
    _check(case, server, session)


@schema.include(path_regex=r"\{id\}").parametrize()
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_H12_of_what_is_there_every_answer_is_as_documented(
    case: schemathesis.Case, server: str, session: requests.Session, things: Things
) -> None:
    """H12"""
    if "id" in (case.path_parameters or {}):
        case.path_parameters["id"] = things.id_for(case.path)
    _check(case, server, session)
