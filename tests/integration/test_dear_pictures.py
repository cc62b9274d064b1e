"""S1: pictures that are dear to decode hold up nobody else, and are given up with their clients."""

from __future__ import annotations

import contextlib
import io
import select
import socket
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image

from regrow.core.codec.reading.decode_cost import MOST_SCANS
from tests import services
from tests.pictures import image_file, smooth_file, with_scans

SMALL = smooth_file(40, 40)
HOSTILE = with_scans(image_file(Image.new("RGB", (4096, 4096)), "JPEG", progressive=True), 20 * MOST_SCANS)
SIDE = 8192
LARGE = image_file(Image.new("L", (SIDE, SIDE)))
"""Small in bytes, accepted here, and takes a second or more."""


@pytest.fixture(scope="module")
def running(
    redis_url: str, blob_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[services.RunningApi]:
    environment = {"REGROW_REDIS_URL": redis_url, "REGROW_BLOB_FOLDER": str(blob_folder)}
    environment |= {"REGROW_MAX_PIXELS": str(SIDE * SIDE), "REGROW_IMAGE_DECODE_TIMEOUT": "PT300S"}
    with services.api(environment, tmp_path_factory.mktemp("api")) as api:
        yield api


def _time_of_children(running: services.RunningApi) -> int:
    """Clock ticks that the processes have taken which the API has for decoding."""
    tasks = Path(f"/proc/{running.process.pid}/task").iterdir()
    ticks = 0
    for pid in {pid for task in tasks for pid in (task / "children").read_text().split()}:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return ticks


def _is_quiet(running: services.RunningApi) -> bool:
    before = _time_of_children(running)
    time.sleep(0.2)
    return _time_of_children(running) == before


def _jobs(running: services.RunningApi) -> int:
    return len(httpx.get(f"{running.url}/jobs", params={"limit": 100}, timeout=60).raise_for_status().json()["jobs"])


def test_S1_hostile_pictures_are_refused_alone_and_in_groups(running: services.RunningApi) -> None:
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: httpx.post(f"{running.url}/encode", content=HOSTILE, timeout=60), range(8)))
    for answer in answers:
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/image-too-large")
        assert answer.json()["detail"].startswith(f"the JPEG has more than {MOST_SCANS} scans")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("bad.jpg", HOSTILE)
        file.writestr("good.png", SMALL)
    items = httpx.post(f"{running.url}/groups", content=archive.getvalue(), timeout=60).json()["items"]
    assert [(item["name"], item["error"] and item["error"]["type"]) for item in items] == [
        ("bad.jpg", "image-too-large"),
        ("good.png", None),
    ]


@pytest.mark.parametrize("behind", [b"", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"], ids=["alone", "pipelined"])
@pytest.mark.parametrize("path", ["/encode", "/groups"])
def test_S1_a_small_picture_waits_for_no_large_ones_which_end_with_their_clients(
    running: services.RunningApi, path: str, behind: bytes
) -> None:
    before, address = _jobs(running), httpx.URL(running.url)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: {len(LARGE)}\r\n\r\n"
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(8 if path == "/encode" else 1):
            clients.append(stack.enter_context(socket.create_connection((address.host, address.port))))
            clients[-1].sendall(head.encode() + LARGE + behind)
        services.wait_until(lambda: not _is_quiet(running), "the decoding of large ones")
        assert httpx.post(f"{running.url}/encode", content=SMALL, timeout=60).status_code == 202
        assert not select.select(clients, [], [], 0)[0], "a large one was answered first"
    services.wait_until(lambda: _is_quiet(running), "the end of what nobody waits for")
    assert _jobs(running) == before + 1
    assert "Traceback" not in running.log.read_text()
