"""H1, H3: forms made to hurt, and bodies over the limit; what they leave on disk, and under which names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import services
from tests.pictures import smooth_file

LIMIT = 3_000_000
"""Of a body. Files in forms go to disk from 1 MiB on."""

PICTURE = smooth_file(8, 8)
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
NAMES = [
    "../../x",
    "/etc/passwd",
    "..\\..\\x",
    "x\0y",
    "a" * 10_000,
    "",
    "x\r\ny",
    "<script>",
    "\N{SNOWMAN}",
    "%2e%2e%2fx",
]


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the API puts temporary files."""
    return tmp_path_factory.mktemp("spool")


@pytest.fixture(scope="module")
def running(
    redis_url: str, blob_folder: Path, spool: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[services.RunningApi]:
    environment = {"REGROW_REDIS_URL": redis_url, "REGROW_BLOB_FOLDER": str(blob_folder), "TMPDIR": str(spool)}
    environment |= {"REGROW_MAX_BODY_BYTES": str(LIMIT)}
    with services.api(environment, tmp_path_factory.mktemp("api")) as api:
        yield api


@pytest.fixture
def http(running: services.RunningApi, spool: Path) -> Iterator[httpx.Client]:
    """A client; afterwards there is no temporary file and no traceback in the log."""
    logged = len(running.log.read_text())
    with httpx.Client(base_url=running.url, timeout=30) as client:
        yield client
    assert not services.open_files(running.process, spool)
    assert not list(spool.iterdir())
    assert "Traceback" not in running.log.read_text()[logged:]


def _part(data: bytes, disposition: bytes, more: bytes = b"") -> bytes:
    return b"--b\r\nContent-Disposition: form-data; " + disposition + b"\r\n" + more + b"\r\n" + data + b"\r\n"


IMAGE = _part(PICTURE, b'name="image"; filename="x.png"')
END = b"--b--\r\n"


def _assert_refused(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"".join(_part(b"1", b'name="x%d"' % n) for n in range(1000)) + IMAGE + END, id="1000-fields"),
        pytest.param(_part(b"1", b'name="seed_number"') * 1000 + IMAGE + END, id="1000-of-one-name"),
        pytest.param(IMAGE * 1000 + END, id="1000-files"),
        pytest.param(_part(b"9" * 2_000_000, b'name="seed_number"') + IMAGE + END, id="oversized-field"),
        pytest.param(_part(b"", b'name="' + b"n" * 2_000_000 + b'"') + IMAGE + END, id="oversized-name"),
        pytest.param(_part(PICTURE, b'name="image"; filename="x"', b"X: y\r\n" * 100_000) + END, id="part-headers"),
        pytest.param(_part(PICTURE, b'filename="x.png"') + END, id="no-name"),
        pytest.param(_part(bytes(2_000_000), b'name="image"; filename="x"') + b"--", id="cut-off"),
        pytest.param(_part(b"1", b'name="seed_number"') + IMAGE[:-2], id="no-end"),
        pytest.param(b"\0" * 100_000, id="no-form"),
        pytest.param(b"", id="nothing"),
        pytest.param(_part(b"\xff\xfe", b'name="preset"') + IMAGE + END, id="not-utf-8"),
        pytest.param(_part(b"small", b'name="pre\0set"') + IMAGE + END, id="nul-in-name"),
    ],
)
def test_H3_forms_made_to_hurt_are_refused(http: httpx.Client, blob_folder: Path, body: bytes) -> None:
    before = set(blob_folder.rglob("*"))
    _assert_refused(http.post("/encode", content=body, headers=FORM), 400, 415, 422)
    assert set(blob_folder.rglob("*")) == before


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "b" * 5000,
        "multipart/form-data; boundary=b; charset=nonsense",
        "multipart/form-data; charset=utf-8; boundary=b",
        "multipart/form-data; boundary=\xe9",
    ],
)
def test_H3_content_types_made_to_hurt(http: httpx.Client, content_type: str) -> None:
    answer = http.post("/encode", content=IMAGE + END, headers={"Content-Type": content_type.encode("latin-1")})
    assert answer.status_code == 202 or answer.json()["status"] in (400, 415, 422), answer.text


@pytest.mark.parametrize("charset", ["undefined", "punycode", "idna", "utf-16", "rot13", ""])
def test_H3_codecs_named_by_the_client_are_not_used(http: httpx.Client, charset: str) -> None:
    """Some always fail; with others a field of 1 MB takes minutes, in which nobody else is answered."""
    field = _part(b"a" * 500_000 + b"-" + b"b" * 500_000, b'name="preset"')
    headers = {"Content-Type": f"multipart/form-data; charset={charset}; boundary=b"}
    _assert_refused(http.post("/encode", content=field + IMAGE + END, headers=headers), 400, 415)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:12]))
def test_H3_file_names_are_ignored(http: httpx.Client, blob_folder: Path, name: str) -> None:
    """The server makes all keys: what is stored has the same names, whatever the file is called."""
    before = set(blob_folder.rglob("*"))
    disposition = b'name="image"; filename="' + name.encode() + b'"'
    answer = http.post("/encode", content=_part(PICTURE, disposition) + END, headers=FORM)
    if answer.status_code != 202:
        _assert_refused(answer, 400)  # a line's end within a header
        assert set(blob_folder.rglob("*")) == before
        return
    job_id = answer.json()["id"]
    new = {str(path.relative_to(blob_folder)) for path in set(blob_folder.rglob("*")) - before}
    plain = http.post("/encode", content=PICTURE).json()["id"]
    same = {path.replace(job_id, plain).replace(job_id[:2], plain[:2]) for path in new}
    assert same
    assert all((blob_folder / path).exists() for path in same)


def _chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 100_000):
        yield body[start : start + 100_000]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(bytes(LIMIT + 1), {}, id="raw"),
        pytest.param(_part(bytes(LIMIT), b'name="image"; filename="x"') + END, FORM, id="form"),
        pytest.param(
            _part(bytes(2_000_000), b'name="image"; filename="x"') + _part(bytes(999_900), b'name="x"'),
            FORM,
            id="field",
        ),
    ],
)
def test_H1_bodies_over_the_limit_leave_nothing(
    http: httpx.Client, blob_folder: Path, body: bytes, headers: dict[str, str], chunked: bool
) -> None:
    before = set(blob_folder.rglob("*"))
    answer = http.post("/encode", content=_chunks(body) if chunked else body, headers=headers)
    _assert_refused(answer, 413)
    assert answer.json()["type"] == "/problems/content-too-large"
    assert set(blob_folder.rglob("*")) == before


def test_H1_bodies_up_to_the_limit_are_read(http: httpx.Client) -> None:
    """So the refusals above are the limit's, and not of what is in the body."""
    _assert_refused(http.post("/encode", content=bytes(LIMIT)), 415)
    _assert_refused(http.post("/encode", content=_chunks(bytes(LIMIT))), 415)


def test_H3_a_large_file_in_a_form_is_read(http: httpx.Client) -> None:
    answer = http.post(
        "/encode", content=_part(PICTURE + bytes(2_000_000), b'name="image"; filename="x"') + END, headers=FORM
    )
    assert answer.status_code == 202
    assert (answer.json()["width"], answer.json()["height"]) == (8, 8)
