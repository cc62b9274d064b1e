"""HTTP/1 as clients speak it, byte by byte against a real API process: offers of upgrades, early answers, HTTP/1.0."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests import services
from tests.pictures import image_file, smooth_file

PICTURE = smooth_file(40, 40)
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAA\r\n"
WEBSOCKET = b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
POST = b"POST /encode?effort=draft HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"

MOST_BYTES = 100_000


@pytest.fixture(scope="module")
def running(
    redis_url: str, blob_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[services.RunningApi]:
    environment = {
        "REGROW_REDIS_URL": redis_url,
        "REGROW_BLOB_FOLDER": str(blob_folder),
        "REGROW_MAX_BODY_BYTES": str(MOST_BYTES),
    }
    with services.api(environment, tmp_path_factory.mktemp("api")) as api:
        yield api
        assert "Traceback" not in api.log.read_text()


@pytest.fixture
def connection(running: services.RunningApi) -> Iterator[socket.socket]:
    url = httpx.URL(running.url)
    with socket.create_connection((url.host, url.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def _chunked(data: bytes) -> bytes:
    half = len(data) // 2
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (data[:half], data[half:])) + b"0\r\n\r\n"


def _read(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One answer: status, headers, body; interim answers are passed over."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += (piece := connection.recv(65536))
        assert piece, data
    head, _, body = data.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    headers = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
    if status == 100:
        assert not body
        return _read(connection)
    length = int(headers.get("content-length", 1 << 60))
    while len(body) < length and (piece := connection.recv(65536)):
        body += piece
    return status, headers, body


LENGTH = b"Content-Length: %d\r\n\r\n" % len(PICTURE) + PICTURE


@pytest.mark.parametrize("pieces", [1, 2, 50])
@pytest.mark.parametrize("offer", [pytest.param(H2C, id="h2c"), pytest.param(WEBSOCKET, id="websocket")])
@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(LENGTH, id="length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n" + _chunked(PICTURE), id="chunked"),
    ],
)
def test_C1_an_offer_to_upgrade_is_ignored(connection: socket.socket, offer: bytes, rest: bytes, pieces: int) -> None:
    """C1: its body is read; so is the request after it, on the same connection."""
    request = POST + offer + rest + GET + offer + b"\r\n"
    size = -(-len(request) // pieces)
    for start in range(0, len(request), size):
        connection.sendall(request[start : start + size])
    status, headers, body = _read_first_of_two(connection)
    assert status == 202, body
    assert "upgrade" not in headers


def _read_first_of_two(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """The first of two answers, of which the second is asserted to be that of /livez."""
    data = b""
    while not data.endswith(b'{"status":"ok"}'):
        data += (piece := connection.recv(65536))
        assert piece, data
    first, second = data[: data.rindex(b"HTTP/1.1 ")], data[data.rindex(b"HTTP/1.1 ") :]
    assert second.startswith(b"HTTP/1.1 200 ")
    head, _, body = first.partition(b"\r\n\r\n")
    return int(head.split()[1]), dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:]), body


def test_C1_with_an_offer_and_an_expectation(connection: socket.socket) -> None:
    connection.sendall(POST + H2C + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(PICTURE))
    assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(PICTURE)
    assert _read(connection)[0] == 202


def test_C1_many_offers_at_once(connection: socket.socket) -> None:
    connection.sendall(200 * (GET + H2C + b"\r\n") + GET + b"Connection: close\r\n\r\n")
    data = b""
    while piece := connection.recv(65536):
        data += piece
    assert data.count(b"HTTP/1.1 200 ") == 201


def test_C1_close_beside_an_offer_is_obeyed(connection: socket.socket) -> None:
    connection.sendall(GET + b"Connection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n")
    status, headers, _ = _read(connection)
    assert (status, headers["connection"]) == (200, "close")
    assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(POST + b"Content-Length: 40000000\r\n\r\n", 413, id="length"),
        pytest.param(POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n", 413, id="chunked"),
        pytest.param(
            POST + b"Connection: close\r\nContent-Encoding: gzip\r\nContent-Length: 40000000\r\n\r\n", 413, id="gzip"
        ),
        pytest.param(b"GET /livez HTTP/1.1\r\nX: " + 70_000 * b"a" + b"\r\n\r\n", 431, id="headers"),
        pytest.param(b"GET /livez HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400, id="no-http"),
    ],
)
def test_D7_an_early_answer_reaches_who_is_still_sending(connection: socket.socket, head: bytes, expected: int) -> None:
    """D7: a client that reads only when all of its 8 MB are sent."""
    connection.sendall(head)
    piece = (b"10000\r\n" + bytes(65536) + b"\r\n") if b"chunked" in head else bytes(65536)
    for _ in range(128):
        connection.sendall(piece)
    status, headers, body = _read(connection)
    assert (status, headers["content-type"]) == (expected, "application/problem+json"), body
    connection.close()


def test_D7_an_answer_to_http_1_0_is_not_in_chunks(running: services.RunningApi, connection: socket.socket) -> None:
    """D7: it ends with the connection. Events are an answer whose length is not known."""
    job = httpx.post(f"{running.url}/encode", content=PICTURE).json()
    httpx.post(running.url + job["links"]["cancel"]).raise_for_status()
    connection.sendall(f"GET {job['links']['events']} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    status, headers, body = _read(connection)
    assert (status, headers["connection"]) == (200, "close")
    assert "transfer-encoding" not in headers
    assert body.startswith(b"retry: ")
    assert body.endswith(b"\n\n")
    assert b'"state":"cancelled"' in body


def test_D7_an_answer_of_known_length_to_http_1_0(connection: socket.socket) -> None:
    connection.sendall(b"GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n")
    status, headers, body = _read(connection)
    assert (status, headers["content-length"]) == (200, str(len(body)))
    assert json.loads(body) == {"status": "ok"}


@pytest.mark.parametrize("line", [b"GET / HTTP/2.0", b"GET /livez HTTP/2.0", b"GET / HTTP/0.9", b"GET /livez HTTP/1.0"])
def test_D7_an_answer_to_another_version_ends_with_the_connection(connection: socket.socket, line: bytes) -> None:
    connection.sendall(line + b"\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    assert answer.startswith(b"HTTP/1.1 "), answer
    assert b"connection: close\r\n" in answer.lower()


def test_S1_what_is_behind_a_post_is_answered_after_it(connection: socket.socket) -> None:
    """Of more, in pieces, than is parsed at once."""
    connection.sendall(POST + LENGTH)
    for _ in range(20):
        connection.sendall(GET + b"\r\n")
    connection.sendall(POST + LENGTH + GET + b"Connection: close\r\n\r\n")
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    assert answer.count(b"HTTP/1.1 202 ") == 2
    assert answer.count(b'{"status":"ok"}') == 21


def test_S1_the_connection_ends_where_too_much_is_behind_a_post(connection: socket.socket) -> None:
    slow = image_file(Image.new("L", (4096, 4096)))
    connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(slow) + slow + 20_000 * (GET + b"\r\n"))
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert b"HTTP/1.1 200 " not in answer


def test_quick_requests_in_a_pipeline_are_all_answered(connection: socket.socket) -> None:
    connection.sendall(2 * (GET + b"\r\n") + GET + b"Connection: close\r\n\r\n")
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    assert answer.count(b'{"status":"ok"}') == 3
