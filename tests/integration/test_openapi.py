"""H12: schemathesis over the whole OpenAPI document, against a real API process and a real Valkey."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
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

from api.app import create_app
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


def _things(server: str) -> dict[str, str]:
    """By the first part of a path: the id of something that is there."""
    told = {"webhook": "https://example.org/hook"}
    job = httpx.post(f"{server}/encode", params=told, content=smooth_file(8, 8)).raise_for_status().json()["id"]
    group = httpx.post(f"{server}/groups", content=zip_of({"a.png": smooth_file(8, 8)})).raise_for_status().json()["id"]
    httpx.post(f"{server}/jobs/{job}/cancel").raise_for_status()  # one that is followed must have an end
    delivery = httpx.get(f"{server}/webhooks/deliveries").json()["deliveries"][0]["id"]
    return {"jobs": job, "decode": job, "groups": group, "webhooks": delivery}


@pytest.mark.parametrize("there", [False, True], ids=["drawn", "there"])
@schema.parametrize()
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_H12_every_answer_is_as_documented(case: schemathesis.Case, server: str, there: bool) -> None:
    """H12"""
    if there and "id" in (case.path_parameters or {}):
        case.path_parameters["id"] = _things(server)[case.path.split("/")[1]]
    case.call_and_validate(base_url=server, checks=CHECKS, timeout=60)
