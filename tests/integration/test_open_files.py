"""More connections than the process may have files, against a real API process."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests import services
from tests.pictures import smooth_file

FILES = 256


@contextlib.contextmanager
def _api_with_few_files(environment: dict[str, str], log: Path) -> Iterator[str]:
    """The API, which may not raise its limit either; yields its address."""
    (port,) = services.free_ports(1)
    command = ["sh", "-c", f'ulimit -n {FILES} && exec "$@"', "sh", sys.executable, "-m", "regrow.api"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REGROW_")}
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            env=inherited | environment | {"REGROW_PORT": str(port)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(30)


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/livez", timeout=5).status_code == 200
    return False


def test_S2_more_connections_than_files(redis_url: str, tmp_path: Path) -> None:
    """S2: the log says it in some lines; who comes when they have gone is answered."""
    environment = {"REGROW_REDIS_URL": redis_url, "REGROW_BLOB_FOLDER": str(tmp_path / "blobs")}
    log = tmp_path / "api.log"
    with _api_with_few_files(environment, log) as url:
        services.wait_until(lambda: _answers(url), "the API's start")
        assert f"may have {FILES} files open" in log.read_text()
        address = httpx.URL(url)
        for _ in range(3):
            with contextlib.ExitStack() as stack:
                for _ in range(2 * FILES):
                    connection = stack.enter_context(socket.socket())
                    connection.setblocking(False)
                    connection.connect_ex((address.host, address.port))
        services.wait_until(lambda: _answers(url), "an answer when all have gone")
        assert httpx.post(f"{url}/encode", content=smooth_file(8, 8), timeout=30).status_code == 202
    text = log.read_text()
    assert "Traceback" not in text
    assert len(text) < 5000, text[:5000]
