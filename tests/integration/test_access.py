"""API keys over HTTP: who is let in, what they see, and that every route keeps to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from regrow.api.app import create_app
from regrow.api.openapi import OPEN_TO_ALL
from regrow.core.access.key_cache import FRESH_SECONDS
from regrow.core.access.keys import KeyStore
from regrow.core.access.principal import Role
from regrow.core.stores.files import FilesBlobStore
from regrow.core.times import now_ms
from tests import services
from tests.pictures import smooth_file
from tests.services import wait_until

UNKNOWN = "0" * 32

ROUTES = [
    (method.upper(), path)
    for path, operations in create_app().openapi()["paths"].items()
    for method in operations
    if path not in OPEN_TO_ALL
]
"""Every route that the OpenAPI document names."""


@dataclass(frozen=True)
class Keys:
    store: KeyStore
    alice: str
    bob: str
    admin: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("with-keys")


@pytest.fixture(scope="module")
def keys(folder: Path) -> Keys:
    store = KeyStore(FilesBlobStore(folder))
    people = {owner: store.create(owner)[0] for owner in ("alice", "bob")}
    return Keys(store, **people, admin=store.create("root", Role.ADMIN)[0])


@pytest.fixture(scope="module")
def http(redis_url: str, folder: Path, keys: Keys) -> Iterator[httpx.Client]:
    environment = {"REGROW_REDIS_URL": redis_url, "REGROW_BLOB_FOLDER": str(folder)}
    with (
        services.api(environment, folder) as running,
        httpx.Client(base_url=running.url, timeout=30) as client,
    ):
        yield client


def _as(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def alices(http: httpx.Client, keys: Keys) -> dict[str, str]:
    """By the first part of a path: the id of something that is Alice's."""
    job = http.post("/encode", content=smooth_file(8, 8), headers=_as(keys.alice)).raise_for_status().json()
    group = http.post("/groups", content=smooth_file(8, 8), headers=_as(keys.alice)).raise_for_status().json()
    told = {"webhook": "https://example.org/hook"}
    ended = http.post("/encode", content=smooth_file(8, 8), params=told, headers=_as(keys.alice)).json()["id"]
    http.post(f"/jobs/{ended}/cancel", headers=_as(keys.alice)).raise_for_status()
    (delivery,) = http.get("/webhooks/deliveries", headers=_as(keys.alice)).json()["deliveries"]
    return {"jobs": job["id"], "decode": job["id"], "groups": group["id"], "webhooks": delivery["id"]}


def _filled(path: str, thing: str) -> str:
    return path.format(id=thing, kind="json" if "manifest" in path else "png")


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if "{" in route[1]])
def test_H5_what_is_anothers_is_as_unknown(
    http: httpx.Client, keys: Keys, alices: dict[str, str], method: str, path: str
) -> None:
    """H5: the same 404, on every route that names something."""
    hers = alices[path.split("/")[1]]
    foreign = http.request(method, _filled(path, hers), headers=_as(keys.bob))
    unknown = http.request(method, _filled(path, UNKNOWN), headers=_as(keys.bob))
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.text.replace(hers, UNKNOWN) == unknown.text
    if method == "GET":
        for key in (keys.alice, keys.admin):
            with http.stream("GET", _filled(path, hers), headers=_as(key)) as answer:  # one that follows has no end
                assert answer.status_code in (200, 409)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_H7_no_route_is_open(http: httpx.Client, keys: Keys, method: str, path: str) -> None:
    """H7: one identical answer without a key, and for a key that is unknown, malformed, expired or of other schemes."""
    expired, _ = keys.store.create("alice", Role.ADMIN, expires_ms=now_ms() - 1)
    unknown = keys.alice[:-1] + ("A" if keys.alice[-1] != "A" else "B")
    shown = [
        None,
        f"Bearer {unknown}",
        "Bearer x",
        f"Bearer {expired}",
        "Basic ???",
        "Basic é".encode("latin-1"),
        f"Digest {keys.alice}",
        "Bearer",
    ]
    answers = [
        http.request(method, _filled(path, UNKNOWN), headers={} if value is None else {"Authorization": value})
        for value in shown
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["type"] == "/problems/unauthorized"
    assert answers[0].headers["www-authenticate"].startswith("Bearer")


def test_H7_a_revoked_key_is_refused_within_seconds(http: httpx.Client, keys: Keys) -> None:
    """H7"""
    token, document = keys.store.create("carol")
    wait_until(lambda: http.get("/jobs", headers=_as(token)).status_code == 200, "the new key's arrival")
    keys.store.revoke(document.id)
    wait_until(lambda: http.get("/jobs", headers=_as(token)).status_code == 401, "the revocation", FRESH_SECONDS + 5)
    assert http.get("/jobs", headers=_as(token)).text == http.get("/jobs").text


def test_each_owner_has_a_secret_of_its_own(http: httpx.Client, keys: Keys, alices: dict[str, str]) -> None:
    secrets = {http.get("/webhooks/secret", headers=_as(key)).json()["secret"] for key in (keys.alice, keys.bob)}
    assert len(secrets) == 2
    assert http.get("/webhooks/deliveries", headers=_as(keys.bob)).json()["deliveries"] == []
    everybodys = http.get("/webhooks/deliveries", headers=_as(keys.admin)).json()["deliveries"]
    assert alices["webhooks"] in [each["id"] for each in everybodys]


def test_lists_hold_what_is_ones_own(http: httpx.Client, keys: Keys, alices: dict[str, str]) -> None:
    mine = http.post("/encode", content=smooth_file(9, 9), headers=_as(keys.bob)).json()["id"]

    def ids(key: str) -> set[str]:
        return {job["id"] for job in http.get("/jobs", headers=_as(key)).json()["jobs"]}

    assert ids(keys.bob) == {mine}
    assert alices["jobs"] in ids(keys.alice)
    assert mine not in ids(keys.alice)
    assert {mine, alices["jobs"]} <= ids(keys.admin)


@pytest.mark.parametrize("path", ["/admin", "/metrics", *(path for _, path in ROUTES if path.startswith("/admin"))])
def test_H6_the_dashboard_is_for_admins(http: httpx.Client, keys: Keys, path: str) -> None:
    """H6: also as browsers ask, with the key as a password."""
    assert http.get(path, headers=_as(keys.alice)).status_code == 403
    assert http.get(path, headers=_as(keys.admin)).status_code == 200
    assert http.get(path, auth=("", keys.admin)).status_code == 200
    assert http.get(path).status_code == 401
    assert "Basic" in http.get(path).headers["www-authenticate"]


def test_health_and_documentation_need_no_key(http: httpx.Client) -> None:
    paths = [path.replace("{type}", "job-not-found") for path in OPEN_TO_ALL]
    assert {http.get(path).status_code for path in paths} == {200}


def test_the_same_idempotency_key_of_two_owners_is_two_keys(http: httpx.Client, keys: Keys) -> None:
    same = {"Idempotency-Key": "monday"}
    first, second = (
        http.post("/encode", content=smooth_file(8, 8), headers=_as(key) | same).json()["id"]
        for key in (keys.alice, keys.bob)
    )
    assert first != second


def test_H4_a_keys_own_limit(http: httpx.Client, keys: Keys) -> None:
    """H4: by outstanding patches; another owner is not concerned."""
    token, _ = keys.store.create("dora", max_patches=2)
    wait_until(lambda: http.get("/jobs", headers=_as(token)).status_code == 200, "the new key's arrival")
    two = smooth_file(80, 40)
    assert http.post("/encode?profile=rules", content=two, headers=_as(token)).status_code == 202
    refused = http.post("/encode?profile=rules", content=two, headers=_as(token))
    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-patches")
    assert int(refused.headers["retry-after"]) >= 1
    assert http.post("/encode?profile=rules", content=two, headers=_as(keys.alice)).status_code == 202


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_other_sites_change_nothing(http: httpx.Client, keys: Keys, site: str) -> None:
    for auth in (None, httpx.BasicAuth("", keys.admin)):
        answer = http.post("/encode", content=smooth_file(8, 8), headers={"Sec-Fetch-Site": site}, auth=auth)
        assert answer.status_code == (401 if auth is None else 403)
    assert http.get("/jobs", headers={"Sec-Fetch-Site": site} | _as(keys.alice)).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1"])
def test_older_browsers_say_where_a_page_is_from(http: httpx.Client, keys: Keys, origin: str) -> None:
    """On plain HTTP, and before Sec-Fetch-Site, there is Origin alone."""
    theirs = {"Origin": origin}
    basic = httpx.BasicAuth("", keys.admin)
    assert http.post("/encode", content=smooth_file(8, 8), headers=theirs, auth=basic).status_code == 403
    own = {"Origin": str(http.base_url).rstrip("/")}
    assert http.post("/encode", content=smooth_file(8, 8), headers=own, auth=basic).status_code == 202
    explicit = http.post("/encode", content=smooth_file(8, 8), headers=theirs | _as(keys.alice))
    assert explicit.status_code == 202, "a key that no browser adds by itself"


def test_H8_a_replay_is_no_new_load(http: httpx.Client, keys: Keys) -> None:
    """H8: what was accepted is answered again, however full the quota is by it."""
    token, _ = keys.store.create("eve", max_patches=1)
    wait_until(lambda: http.get("/jobs", headers=_as(token)).status_code == 200, "the new key's arrival")
    again = _as(token) | {"Idempotency-Key": "once"}
    first, second = (http.post("/encode", content=smooth_file(8, 8), headers=again) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"]
    other = http.post("/encode", content=smooth_file(9, 9), headers=_as(token) | {"Idempotency-Key": "twice"})
    assert other.status_code == 429
    assert http.post("/encode", content=smooth_file(9, 9), headers=_as(keys.bob)).status_code == 202


def test_keys_are_not_written_anywhere(folder: Path, keys: Keys) -> None:
    stored = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    for token in (keys.alice, keys.bob, keys.admin):
        secret = token.split("_", 2)[2]
        assert not any(secret.encode() in data for data in stored)


@pytest.mark.parametrize(
    "name", ["evil.example", "a{b.evil.example:80", 'a"b', "[", "localhost@evil", "127.0.0.1:1@x", ""]
)
def test_without_keys_the_name_must_be_this_machines(client: httpx.Client, name: str) -> None:
    """A page that makes its own name point to 127.0.0.1 (DNS rebinding) reaches nothing."""
    answer = client.get("/jobs", headers={"Host": name})
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")


def test_S3_a_private_network_is_no_reason_to_answer_to_any_name(redis_url: str, tmp_path: Path) -> None:
    """S3: nor is a foreign Origin that is equal to Host. Names that are allowed are, health has none."""
    environment = {
        "REGROW_REDIS_URL": redis_url,
        "REGROW_BLOB_FOLDER": str(tmp_path / "blobs"),
        "REGROW_HOST": "0.0.0.0",
        "REGROW_BEHIND_PRIVATE_NETWORK": "1",
        "REGROW_ALLOWED_HOSTS": '["Regrow.example.org"]',
    }
    with services.api(environment, tmp_path) as running, httpx.Client(base_url=running.url) as client:
        for name, allowed in (
            ("evil.example:8000", False),
            ("regrow.example.org.evil.example", False),
            ("192.0.2.1", False),
            ("regrow.example.org:443", True),
            ("localhost:8000", True),
            ("127.0.0.1", True),
        ):
            headers = {"Host": name, "Origin": f"http://{name}"}
            assert client.get("/jobs", headers=headers).status_code == (200 if allowed else 403), name
            posted = client.post("/encode", content=smooth_file(8, 8), headers=headers)
            assert posted.status_code == (202 if allowed else 403), name
            assert client.get("/livez", headers=headers).status_code == 200
            assert client.get("/readyz", headers=headers).status_code == 200


def test_S3_browsers_with_a_key_are_told_a_name_too(http: httpx.Client, keys: Keys) -> None:
    """S3: who sends the key by itself knows where it goes."""
    evil = {"Host": "evil.example", "Origin": "http://evil.example"}
    basic = httpx.BasicAuth("", keys.admin)
    for method, path in (("GET", "/admin"), ("GET", "/jobs"), ("POST", "/encode")):
        assert http.request(method, path, content=smooth_file(8, 8), headers=evil, auth=basic).status_code == 403
    answer = http.post("/encode", content=smooth_file(8, 8), headers=evil | _as(keys.alice))
    assert answer.status_code == 202


@pytest.mark.parametrize("name", ["localhost:1", "127.0.0.1", "[::1]:80", "LOCALHOST", "localhost."])
def test_this_machines_own_names(client: httpx.Client, name: str) -> None:
    assert client.get("/jobs", headers={"Host": name}).status_code == 200


def test_no_other_origin_is_allowed_by_default(client: httpx.Client) -> None:
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    for answer in (client.options("/encode", headers=asked), client.get("/jobs", headers=asked)):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origins", ['["https://example.org"]', '["*"]'])
def test_origins_that_are_named_are_allowed(redis_url: str, tmp_path: Path, origins: str) -> None:
    environment = {"REGROW_REDIS_URL": redis_url, "REGROW_BLOB_FOLDER": str(tmp_path / "blobs")}
    environment["REGROW_CORS_ORIGINS"] = origins
    with services.api(environment, tmp_path) as running:
        theirs = {"Origin": "https://example.org", "Sec-Fetch-Site": "cross-site"}
        asked = {**theirs, "Access-Control-Request-Method": "POST"}
        allowed = httpx.options(f"{running.url}/encode", headers=asked)
        assert allowed.headers["access-control-allow-origin"] in ("https://example.org", "*")
        answer = httpx.post(f"{running.url}/encode", content=smooth_file(8, 8), headers=theirs)
        assert answer.status_code == 202
        assert answer.headers["access-control-allow-origin"] in ("https://example.org", "*")
        if origins == '["*"]':
            return
        others = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        refused = httpx.post(f"{running.url}/encode", content=smooth_file(8, 8), headers=others)
        assert refused.status_code == 403
