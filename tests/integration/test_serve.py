"""`regrow serve` as a user runs it: one command up, Ctrl-C down, and on again where it was."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.settings import EncodeSettings
from tests.integration.faults.reference import undisturbed
from tests.pictures import smooth_file
from tests.services import alive, free_ports, wait_until


@contextlib.contextmanager
def _serve(data: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "regrow.cli.main", "serve", "--port", str(port), "--data", str(data)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert child.stdout is not None
        for line in child.stdout:
            if "Regrow serves at" in line:
                break
        else:
            raise AssertionError("serve ended before it served")
        yield child
    finally:
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate(timeout=60)
        assert child.returncode == 0, output


def _children(parent: int) -> list[int]:
    listing = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listing.splitlines()]
    direct = [pid for pid, ppid in pairs if ppid == parent]
    return direct + [grandchild for pid in direct for grandchild in _children(pid)]


def test_F13_ctrl_c_in_the_middle_of_a_job_and_on_again(tmp_path: Path) -> None:
    """F13: the same bytes as without a pause; and nothing of the stack outlives it."""
    (port,) = free_ports(1)
    url, data = f"http://127.0.0.1:{port}", smooth_file(40, 40)
    with _serve(tmp_path, port) as child:
        path = httpx.post(url + "/encode?preset=tiny&effort=standard", content=data, timeout=30).headers["location"]
        wait_until(lambda: 0 < httpx.get(url + path).json()["progress"] < 0.9, "the start of a fit", 120)
        pids = _children(child.pid)
        assert len(pids) == 4  # Valkey, a worker, the API, and what decodes uploads for it
    assert not [pid for pid in pids if alive(pid)]
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", port))
    with _serve(tmp_path, port):
        wait_until(lambda: httpx.get(url + path).json()["state"] == "succeeded", "the end of the job", 200)
        job = httpx.get(url + path).json()
        assert httpx.get(url + job["links"]["picture"]).status_code == 200
        assert job["attempts"] == 2
        assert httpx.get(url + path + "/bundle").content == undisturbed(
            data, EncodeSettings(Preset.TINY, Effort.STANDARD)
        )


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "regrow.cli.main", "serve", "--port", str(port), "--data", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "choose another with --port" in done.stderr


def test_one_data_folder_has_one_service(tmp_path: Path) -> None:
    ports = free_ports(2)
    with _serve(tmp_path, ports[0]):
        command = [sys.executable, "-m", "regrow.cli.main", "serve", "--port", str(ports[1]), "--data", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "another regrow serves" in done.stderr
        assert httpx.get(f"http://127.0.0.1:{ports[0]}/readyz").status_code == 200


def test_odd_characters_in_the_data_path(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with _serve(tmp_path / "data?100%", port):
        assert httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    command = [sys.executable, "-m", "regrow.cli.main", "serve", "--data", str(tmp_path / "my data")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "without spaces" in done.stderr


@pytest.mark.parametrize("depth", [1, 40])
def test_a_long_data_path_still_serves(tmp_path: Path, depth: int) -> None:
    """The socket's path may not be longer than the kernel allows."""
    (port,) = free_ports(1)
    data = tmp_path.joinpath(*["deep" for _ in range(depth)])
    with _serve(data, port):
        assert httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
