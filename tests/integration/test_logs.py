"""What a fleet logs: a request's id reaches the workers, secrets reach nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from regrow.core.access.keys import KeyStore
from regrow.core.stores.files import FilesBlobStore
from tests.integration.faults.fleet import Fleet
from tests.pictures import smooth_file
from tests.services import wait_until

FAULTY = "tests.integration.faults.faulty_worker"  # flat patches: it is the way that is tested


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str, str]]:
    """A folder whose service has a key; the key, and its id."""
    folder = tmp_path_factory.mktemp("logs")
    token, document = KeyStore(FilesBlobStore(folder / "blobs")).create("alice")
    return folder, token, document.id


@pytest.fixture(scope="module")
def fleet(key: tuple[Path, str, str]) -> Iterator[Fleet]:
    with Fleet(key[0], REGROW_LOG_FORMAT="json") as fleet:
        fleet.start_api()
        fleet.client.headers["Authorization"] = f"Bearer {key[1]}"
        fleet.start_workers(1, FAULTY)
        yield fleet


def _lines(fleet: Fleet, module: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in fleet.log(module).splitlines() if line.startswith("{")]


def test_a_requests_id_follows_its_work(fleet: Fleet, key: tuple[Path, str, str]) -> None:
    answer = fleet.client.post("/encode", content=smooth_file(8, 8), headers={"X-Request-ID": "from-the-client.1"})
    assert answer.headers["x-request-id"] == "from-the-client.1"
    job_id = answer.json()["id"]

    def done() -> bool:
        return fleet.client.get(f"/jobs/{job_id}").json()["state"] == "succeeded"

    wait_until(done, "the job's end")
    wait_until(lambda: any(" dB in " in line["message"] for line in _lines(fleet, FAULTY)), "the worker's last line")
    mine = [line for line in _lines(fleet, FAULTY) if line.get("request_id") == "from-the-client.1"]
    assert {line["job_id"] for line in mine} == {job_id}
    assert len(mine) >= 3, "fitting, assembling, done"
    (access,) = [line for line in _lines(fleet, "regrow.api") if line.get("request_id") == "from-the-client.1"]
    assert access["logger"] == "regrow.access"
    assert f"127.0.0.1 {key[2]} POST /encode 202 " in access["message"]
    expected = {"address": "127.0.0.1", "key_id": key[2], "method": "POST", "path": "/encode", "route": "/encode"}
    assert expected | {"status": 202, "bytes": len(answer.content)} == {  # E10
        name: access[name] for name in (*expected, "status", "bytes")
    }
    assert 0 < access["seconds"] < 60


def test_E10_fields_of_what_has_no_route_and_no_key(fleet: Fleet) -> None:
    fleet.client.get("/no/such", headers={"X-Request-ID": "lost"})
    fleet.client.get(f"/jobs/{'0' * 32}", headers={"X-Request-ID": "stranger", "Authorization": ""})

    def lines() -> dict[str, dict[str, Any]]:
        return {line["request_id"]: line for line in _lines(fleet, "regrow.api") if "request_id" in line}

    wait_until(lambda: {"lost", "stranger"} <= lines().keys(), "the lines")
    found = lines()
    assert [found["lost"][name] for name in ("path", "route", "status")] == ["/no/such", None, 404]
    assert [found["stranger"][name] for name in ("route", "status", "key_id")] == ["/jobs/{id}", 401, None]


@pytest.mark.parametrize("asked", ["", "x" * 65, "a b", 'a"b', "ü".encode("latin-1")])
def test_other_ids_are_replaced(fleet: Fleet, asked: str | bytes) -> None:
    answer = fleet.client.get("/livez", headers=[(b"X-Request-ID", asked)])  # type: ignore[list-item]
    assert len(answer.headers["x-request-id"]) == 16


def test_secrets_and_line_breaks_are_not_logged(fleet: Fleet, key: tuple[Path, str, str]) -> None:
    secret = "hunter2"
    fleet.client.post("/encode", params={"webhook": f"https://example.org/?token={secret}"}, content=b"no image")
    fleet.client.get("/jobs", headers={"Authorization": f"Bearer {secret}"})
    fleet.client.get("/jobs", auth=("me", secret))
    fleet.client.get("/no%0Aforged line%1b[31m")
    wait_until(
        lambda: any("forged" in line["message"] for line in _lines(fleet, "regrow.api")), "the last request's line"
    )
    for module in ("regrow.api", FAULTY):
        text = fleet.log(module)
        assert secret not in text
        assert key[1] not in text
        assert "\x1b" not in text
    (forged,) = [line["message"] for line in _lines(fleet, "regrow.api") if "forged" in line["message"]]
    assert "/no%0Aforged%20line%1B%5B31m 404" in forged
