"""H2: clients that are slow on purpose, and those that leave, against a real API process, byte by byte."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests import services
from tests.pictures import smooth_file

HEADERS, BODY, STALL = 1.0, 2.0, 0.6
LEEWAY = 2.0
"""Seconds for a busy machine."""

MOST_CONNECTIONS = 12
HEAD = b"POST /encode HTTP/1.1\r\nHost: localhost\r\n"
FORM = b"Content-Type: multipart/form-data; boundary=b\r\n"
FILE = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n'
SPOOLED = 1_500_000
"""Bytes of a file in a form that are beyond what is kept in memory."""


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the API puts temporary files."""
    return tmp_path_factory.mktemp("spool")


@pytest.fixture(scope="module")
def running(
    redis_url: str, blob_folder: Path, spool: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[services.RunningApi]:
    environment = {
        "REGROW_REDIS_URL": redis_url,
        "REGROW_BLOB_FOLDER": str(blob_folder),
        "REGROW_HEADER_TIMEOUT": f"PT{HEADERS}S",
        "REGROW_BODY_TIMEOUT": f"PT{BODY}S",
        "REGROW_STALL_TIMEOUT": f"PT{STALL}S",
        "REGROW_MAX_CONNECTIONS": str(MOST_CONNECTIONS),
        "TMPDIR": str(spool),
    }
    with services.api(environment, tmp_path_factory.mktemp("api")) as api:
        yield api


@pytest.fixture(autouse=True)
def _unharmed(running: services.RunningApi, spool: Path) -> Iterator[None]:
    """Afterwards the API answers, has logged no traceback, and has no temporary file."""
    yield
    assert httpx.get(running.url + "/readyz").status_code == 200
    services.wait_until(lambda: not services.open_files(running.process, spool), "closing of temporary files", 5)
    assert not list(spool.iterdir())
    log = running.log.read_text()
    assert "Traceback" not in log, log


def _connect(running: services.RunningApi) -> socket.socket:
    url = httpx.URL(running.url)
    return socket.create_connection((url.host, url.port), timeout=10)


def _drip(connection: socket.socket, make: Callable[[int], bytes], every: float = 0.05) -> float:
    """Send pieces until the other side has closed, or answers; the seconds that took."""
    start, number = time.monotonic(), 0
    connection.settimeout(every)
    while time.monotonic() < start + 10:
        try:
            connection.sendall(make(number))
            number += 1
            connection.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            continue
        except OSError:
            pass
        connection.settimeout(10)
        return time.monotonic() - start
    pytest.fail("the connection was not closed")


def _answer(connection: socket.socket) -> tuple[int, dict[str, object]]:
    """Status and problem of the last answer, after which the connection is closed."""
    data = b""
    while piece := connection.recv(65536):
        data += piece
    head, _, body = data[data.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)


def _assert_timeout(connection: socket.socket) -> None:
    status, problem = _answer(connection)
    assert (status, problem["type"]) == (408, "/problems/request-timeout")


def _read(connection: socket.socket) -> int:
    """The status of an answer that is one JSON object."""
    data = b""
    while not data.endswith(b"}"):
        data += (piece := connection.recv(65536))
        assert piece
    return int(data.split()[1])


def _get(connection: socket.socket) -> None:
    connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert _read(connection) == 200


def test_H2_headers_byte_by_byte(running: services.RunningApi) -> None:
    with _connect(running) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nX-Long: ")
        assert HEADERS - 0.1 < _drip(connection, lambda _: b"a") < HEADERS + LEEWAY
        _assert_timeout(connection)


def test_H2_headers_byte_by_byte_on_a_kept_connection(running: services.RunningApi) -> None:
    """The second request's time counts from its own first byte."""
    with _connect(running) as connection:
        _get(connection)
        time.sleep(HEADERS)
        connection.sendall(b"G")
        assert (
            _drip(connection, lambda number: b"ET /livez HTTP/1.1\r\nX: "[number : number + 1] or b"a") > HEADERS - 0.1
        )
        _assert_timeout(connection)


def test_H2_a_connection_that_says_nothing(running: services.RunningApi) -> None:
    start = time.monotonic()
    with _connect(running) as connection:
        assert connection.recv(1) == b""
        assert STALL - 0.1 < time.monotonic() - start < HEADERS + LEEWAY


def test_H2_empty_lines_do_not_keep_a_connection(running: services.RunningApi) -> None:
    with _connect(running) as connection:
        _get(connection)
        assert _drip(connection, lambda _: b"\r\n") < HEADERS + LEEWAY


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        pytest.param(b"Content-Length: 1000000\r\n\r\n", b"a", id="length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", id="chunked"),
        pytest.param(FORM + b"Content-Length: 9000000\r\n\r\n" + FILE + bytes(SPOOLED), b"a", id="multipart"),
        pytest.param(FORM + b"Content-Length: 9000000\r\n\r\n--b\r\n", b"a: ", id="part-header"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: ", b"a", id="trailer"),
    ],
)
@pytest.mark.parametrize("kept", [False, True])
def test_H2_bodies_that_never_end(running: services.RunningApi, head: bytes, piece: bytes, kept: bool) -> None:
    """Whole within a time, however steadily bytes come; and never long without a byte."""
    with _connect(running) as connection:
        if kept:
            _get(connection)
        connection.sendall(HEAD + head)
        assert BODY - 0.2 < _drip(connection, lambda _: piece) < BODY + LEEWAY
        _assert_timeout(connection)
    with _connect(running) as connection:
        connection.sendall(HEAD + head + piece)
        start = time.monotonic()
        _assert_timeout(connection)
        assert STALL - 0.1 < time.monotonic() - start < STALL + LEEWAY


def test_H2_a_body_that_nobody_reads(running: services.RunningApi) -> None:
    """The answer is there before the body is; what follows of that does not keep the connection."""
    with _connect(running) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
        assert _read(connection) == 200
        assert _drip(connection, lambda _: b"a") < BODY + LEEWAY


def test_a_slow_but_steady_upload_is_accepted(running: services.RunningApi) -> None:
    """And others are answered meanwhile."""
    data = smooth_file(40, 40)
    size = -(-len(data) // 4)
    with _connect(running) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(data))
        for start in range(0, len(data), size):
            time.sleep(0.2)
            assert httpx.get(running.url + "/livez", timeout=10).status_code == 200
            connection.sendall(data[start : start + size])
        assert _read(connection) == 202
        _get(connection)  # it can be used again


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        pytest.param(b"GET /livez HTTP/1.1\r\n", b"X-%d: " + b"a" * 1000 + b"\r\n", id="many"),
        pytest.param(b"GET /livez HTTP/1.1\r\nX: ", b"a" * 1000, id="one"),
        pytest.param(b"GET /livez?", b"a" * 1000, id="url"),
    ],
)
def test_headers_are_bounded(running: services.RunningApi, start: bytes, piece: bytes) -> None:
    with _connect(running) as connection:
        connection.sendall(start)
        _drip(connection, lambda number: piece.replace(b"%d", b"%d" % number), every=0.001)
        status, problem = _answer(connection)
        assert (status, problem["type"]) == (431, "/problems/headers-too-large")


def test_headers_are_bounded_at_once(running: services.RunningApi) -> None:
    """As many as arrive in one piece."""
    with _connect(running) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n")
        assert _answer(connection)[0] == 431
    with _connect(running) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nX: " + b"a" * 60_000 + b"\r\n\r\n")
        assert _read(connection) == 200


def test_trailers_are_bounded(running: services.RunningApi) -> None:
    with _connect(running) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: ")
        _drip(connection, lambda _: b"a" * 1000, every=0.001)
        assert _answer(connection)[0] == 431


def test_what_is_no_http_is_a_problem(running: services.RunningApi) -> None:
    for garbage in (b"\x16\x03\x01\x02\x00\x01", b"GET /livez HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
        with _connect(running) as connection:
            connection.sendall(garbage)
            status, problem = _answer(connection)
            assert (status, problem["type"]) == (400, "/problems/bad-request")


@pytest.mark.parametrize("sent", [100, SPOOLED])
@pytest.mark.parametrize("form", [False, True])
def test_clients_that_leave_in_the_middle(running: services.RunningApi, spool: Path, sent: int, form: bool) -> None:
    body = (FILE if form else b"") + bytes(sent)
    with _connect(running) as connection:
        connection.sendall(HEAD + (FORM if form else b"") + b"Content-Length: 9000000\r\n\r\n" + body)
        if form and sent == SPOOLED:
            services.wait_until(lambda: bool(services.open_files(running.process, spool)), "a temporary file")


def test_connections_are_bounded(running: services.RunningApi) -> None:
    """Beyond it, 503; when others are gone, all is well again."""
    connections = [_connect(running) for _ in range(MOST_CONNECTIONS)]
    for connection in connections:
        _get(connection)
    with _connect(running) as one_more:
        one_more.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, problem = _answer(one_more)
        assert (status, problem["type"]) == (503, "/problems/too-many-connections")
    for connection in connections:
        connection.close()


def test_who_does_not_read_is_closed(running: services.RunningApi) -> None:
    """What waits to be read takes memory: not for longer than a stall may be."""
    asked = 200  # as many answers as fill the buffers of both ends
    with _connect(running) as connection:
        connection.sendall(asked * b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")

        def given_up() -> bool:
            times = re.findall(r"GET /openapi.json 200 \d+ bytes ([\d.]+) ms", running.log.read_text())
            return any(float(each) > 900 * STALL for each in times)

        services.wait_until(given_up, "the wait for a reader", 30)
        answered = 0
        with contextlib.suppress(ConnectionResetError):
            while data := connection.recv(1 << 20):
                answered += data.count(b"HTTP/1.1 200 OK")
    assert 0 < answered < asked
