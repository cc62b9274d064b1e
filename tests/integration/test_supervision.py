"""`regrow serve` when its processes, or it itself, are killed outright."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from regrow.cli import embedded_valkey as broker
from regrow.cli.child_processes import StackError
from regrow.cli.stack import Stack
from regrow.cli.supervisor import Supervisor
from tests import services
from tests.pictures import smooth_file
from tests.services import alive, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is left of a killed parent is Linux's business")


@dataclass(frozen=True)
class Serving:
    client: httpx.Client
    process: subprocess.Popen[bytes]
    log: Path

    def processes(self) -> dict[str, dict[str, Any]]:
        """What the dashboard knows, by name; nothing while it cannot answer."""
        with contextlib.suppress(httpx.HTTPError):
            answer = self.client.get("/admin/processes")
            if answer.status_code == 200:
                return {process["name"]: process for process in answer.json()["processes"]}
        return {}

    def is_ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self.client.get("/readyz").status_code == 200
        return False

    def pids(self) -> dict[str, int]:
        wait_until(lambda: len(self.processes()) == 3, "the supervisor's report")
        return {name: process["pid"] for name, process in self.processes().items()}

    def has_restarted(self, name: str) -> bool:
        process = self.processes().get(name, {"restarts": 0, "state": "unknown"})
        return process["restarts"] == 1 and process["state"] == "running" and self.is_ready()


@contextlib.contextmanager
def _serve(data: Path, log: Path) -> Iterator[Serving]:
    (port,) = services.free_ports(1)
    arguments = ("serve", "--port", str(port), "--data", str(data))
    with (
        services.process("regrow.cli.main", {}, log, *arguments) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client,
    ):
        wait_until(lambda: f"serves at {client.base_url}" in log.read_text() or process.poll() is not None, "the start")
        assert process.poll() is None, log.read_text()
        yield Serving(client, process, log)


def _kill(serving: Serving, name: str) -> None:
    pid = serving.pids()[name]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: serving.has_restarted(name), f"the restart of {name}", 60)
    assert serving.processes()[name]["pid"] != pid
    assert serving.processes()[name]["last_exit"] == "signal 9 (SIGKILL)"
    assert f"{name} has ended (signal 9 (SIGKILL)); starting it again in 0.5 s (restart 1)\n" in serving.log.read_text()


def test_each_process_comes_back_and_work_goes_on(tmp_path: Path) -> None:
    with _serve(tmp_path / "data", tmp_path / "log") as serving:
        first = serving.pids()
        assert set(first) == {"Valkey", "worker 0", "API"}
        _kill(serving, "worker 0")
        _kill(serving, "API")
        job = serving.client.post("/encode?preset=tiny&effort=standard", content=smooth_file(40, 40)).headers[
            "location"
        ]
        wait_until(lambda: 0 < serving.client.get(job).json()["progress"] < 0.9, "the start of a fit", 120)
        _kill(serving, "Valkey")
        wait_until(lambda: serving.client.get(job).json()["state"] == "succeeded", "the job's end", 200)
        assert all(process["restarts"] == 1 for process in serving.processes().values())
        pids = {*first.values(), *serving.pids().values()}
        serving.process.send_signal(signal.SIGTERM)
        assert serving.process.wait(60) == 0, serving.log.read_text()
        assert not [pid for pid in pids if alive(pid)]


def test_serve_itself_is_killed(tmp_path: Path) -> None:
    with _serve(tmp_path / "data", tmp_path / "log") as serving:
        pids = serving.pids()
        job = serving.client.post("/encode?preset=micro&effort=draft", content=smooth_file(8, 8)).headers["location"]
        wait_until(lambda: serving.client.get(job).json()["state"] == "succeeded", "the job's end", 200)
        serving.process.kill()
        serving.process.wait()
        wait_until(lambda: not any(map(alive, pids.values())), "the children's end", 10)
    with _serve(tmp_path / "data", tmp_path / "log2") as serving:
        assert serving.is_ready()
        assert serving.client.get(job).json()["state"] == "succeeded"
        assert not set(serving.pids().values()) & set(pids.values())


def test_a_crash_loop_ends_in_one_message(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Another program takes the API's port while the API is away."""
    supervisor = Supervisor(first_delay=0.05, patience=2)
    with Stack(tmp_path, "127.0.0.1", 0, supervisor=supervisor) as stack, socket.socket() as thief:
        pids = {record.name: record.pid for record in supervisor.records()}
        os.kill(pids["API"] or 0, signal.SIGKILL)
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wait_until(lambda: _binds(thief, stack.port), "the API's end")
        thief.listen()
        with pytest.raises(StackError) as raised:
            stack.wait(lambda: False)
    assert str(raised.value) == "API has ended 3 times in a row, now with status 3: see its messages above"
    assert capfd.readouterr().err.count("starting it again") == 2
    assert not [pid for pid in pids.values() if alive(pid or 0)]


def test_a_process_that_cannot_start_is_not_tried_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with services.process(
        "regrow.cli.main", {"REGROW_ENGINE": "steam"}, log, "serve", "--port", "0", "--data", str(tmp_path)
    ) as serve:
        assert serve.wait(60) == 1
    assert log.read_text().splitlines()[-1] == "regrow: worker 0 has ended (status 1): see its messages above"
    assert "starting it again" not in log.read_text()


def test_two_valkeys_never_write_to_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is held by Valkey itself, for as long as it lives and no longer."""
    monkeypatch.setattr(broker, "LOCK_SECONDS", 0.1)
    command = [sys.executable, "-m", "regrow.cli.embedded_valkey", str(tmp_path), str(tmp_path / "socket")]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    for _ in range(2):  # what a killed one leaves behind does not matter to the next
        valkey = subprocess.Popen(command, env=environment)
        try:
            wait_until(lambda: _accepts(tmp_path / "socket"), "Valkey's start")
            assert not broker.lock(tmp_path)
        finally:
            valkey.kill()
            valkey.wait()
    assert broker.lock(tmp_path)


def _binds(thief: socket.socket, port: int) -> bool:
    with contextlib.suppress(OSError):
        thief.bind(("127.0.0.1", port))
        return True
    return False


def _accepts(path: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        return True
    return False
