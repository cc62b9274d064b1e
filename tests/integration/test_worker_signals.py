"""A worker process and the signals that it is sent before it has reached Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import free_ports, wait_until


def _ignores(pid: int, number: signal.Signals) -> bool:
    """By what the kernel says, so Linux only."""
    fields = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    return bool(int(fields["SigIgn"], 16) >> (number - 1) & 1)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what a process ignores")
def test_A5_A8_a_worker_without_redis_stops_in_lines_and_heeds_no_ignored_signal(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    log = tmp_path / "log"
    # As under nohup. A worker with a stand-in for its engine, which need not be compiled first.
    command = ["/bin/sh", "-c", "trap '' HUP; exec \"$@\"", "sh", sys.executable, "-m"]
    command.append("tests.integration.faults.faulty_worker")
    environment = {**os.environ, "REGROW_REDIS_URL": f"redis://127.0.0.1:{port}/0"}

    def waits_for_redis() -> bool:
        return "waiting for it" in log.read_text() or worker.poll() is not None

    with log.open("wb") as output, subprocess.Popen(command, env=environment, stdout=output, stderr=output) as worker:
        try:
            wait_until(waits_for_redis, "the first attempt at Redis", 120)
            assert worker.poll() is None, log.read_text()
            assert _ignores(worker.pid, signal.SIGHUP)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
        finally:
            worker.kill()
    assert "Traceback" not in log.read_text()
