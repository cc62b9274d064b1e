"""The supervisor, with real child processes of a few lines."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from regrow.cli.child_processes import StackError, python
from regrow.cli.supervisor import Child, Supervisor
from regrow.core.jobs.processes import ProcessRecord, ProcessState
from tests.services import alive, wait_until

ROOT = Path(__file__).parents[3]
SLEEP = "import time; time.sleep(600)"


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    made = Supervisor(first_delay=0.02, patience=3, settled_seconds=600, stop_seconds=10)
    yield made
    made.stop()


def _child(name: str, script: str, *arguments: str | Path) -> Child:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return Child(name, command, os.environ | {"PYTHONPATH": str(ROOT)})


def _tended(supervisor: Supervisor, name: str, restarts: int) -> ProcessRecord:
    """The child's record once it runs for the given time again."""

    def record() -> ProcessRecord:
        supervisor.tend()
        return next(record for record in supervisor.records() if record.name == name)

    wait_until(lambda: (record().restarts, record().state) == (restarts, ProcessState.RUNNING), f"restart {restarts}")
    return record()


def test_a_killed_child_is_started_again(supervisor: Supervisor, capsys: pytest.CaptureFixture[str]) -> None:
    other = supervisor.start(_child("Valkey", SLEEP))
    first = supervisor.start(_child("worker 0", SLEEP))
    os.kill(first, signal.SIGKILL)
    record = _tended(supervisor, "worker 0", 1)
    assert record.pid not in (None, first)
    assert record.last_exit == "signal 9 (SIGKILL)"
    assert supervisor.records()[0].pid == other
    assert supervisor.records()[0].restarts == 0
    error = capsys.readouterr().err
    assert error == "regrow: worker 0 has ended (signal 9 (SIGKILL)); starting it again in 0.02 s (restart 1)\n"


def test_the_wait_for_a_restart_is_shown(supervisor: Supervisor) -> None:
    supervisor.first_delay = 600
    pid = supervisor.start(_child("API", SLEEP))
    before = supervisor.records()[0].since
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: supervisor.tend() or supervisor.records()[0].pid is None, "the end of the child")
    record = supervisor.records()[0]
    assert (record.state, record.restarts, record.last_exit) == (ProcessState.RESTARTING, 1, "signal 15 (SIGTERM)")
    assert record.since >= before
    supervisor.tend()
    assert supervisor.records()[0].state is ProcessState.RESTARTING
    supervisor.stop()  # with nothing to stop


def test_a_crash_loop_is_one_message(
    supervisor: Supervisor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    starts = tmp_path / "starts"
    script = "import sys, time; open(sys.argv[1], 'a').write(f'{time.monotonic()}\\n'); sys.exit(3)"
    supervisor.first_delay = 0.1
    supervisor.start(_child("worker 0", script, starts))
    with pytest.raises(StackError) as raised:
        wait_until(lambda: bool(supervisor.tend()), "the crash loop's end")
    assert str(raised.value) == "worker 0 has ended 4 times in a row, now with status 3: see its messages above"
    assert re.findall(r"in (\S+) s", capsys.readouterr().err) == ["0.1", "0.2", "0.4"]
    times = [float(line) for line in starts.read_text().splitlines()]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(times) == 4
    assert all(gap >= delay for gap, delay in zip(gaps, (0.1, 0.2, 0.4), strict=True)), gaps


def test_a_child_that_ran_a_while_is_no_crash_loop(supervisor: Supervisor, capsys: pytest.CaptureFixture[str]) -> None:
    supervisor.settled_seconds, supervisor.patience = 0, 1
    supervisor.start(_child("API", ""))
    wait_until(lambda: bool(supervisor.tend()) or supervisor.records()[0].restarts >= 4, "four restarts")
    assert set(re.findall(r"in (\S+) s", capsys.readouterr().err)) == {"0.02"}


def test_an_end_during_the_start_is_an_error_at_once(supervisor: Supervisor) -> None:
    supervisor.start(_child("API", "raise SystemExit(5)"))
    with pytest.raises(StackError, match=r"^API has ended \(status 5\): see its messages above$"):
        wait_until(lambda: bool(supervisor.check()), "the child's end")
    assert supervisor.records()[0].restarts == 0


def test_children_stop_in_the_reverse_order(supervisor: Supervisor, tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = """
import signal, sys, time
def end(*_):
    with open(sys.argv[1], "a") as log: log.write(sys.argv[2])
    sys.exit()
signal.signal(signal.SIGTERM, end)
open(sys.argv[1] + sys.argv[2], "w").close()
while True: time.sleep(1)
"""
    pids = [supervisor.start(_child(name, script, log, name)) for name in "abc"]
    wait_until(lambda: all((tmp_path / f"log{name}").exists() for name in "abc"), "the children's start")
    supervisor.stop()
    assert log.read_text() == "cba"
    assert not [pid for pid in pids if alive(pid)]


def test_a_child_that_ignores_sigterm_is_killed(supervisor: Supervisor, tmp_path: Path) -> None:
    script = f"import signal, sys; signal.signal(15, signal.SIG_IGN); open(sys.argv[1], 'w').close(); {SLEEP}"
    supervisor.stop_seconds = 0.2
    pid = supervisor.start(_child("worker 0", script, tmp_path / "ready"))
    wait_until((tmp_path / "ready").exists, "the child's start")
    supervisor.stop()
    assert not alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_children_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    script = f"""
import os, pathlib, sys, time
from regrow.cli.supervisor import Child, Supervisor
child = "import os, signal, sys, time; signal.signal(15, signal.SIG_IGN); print(os.getpid(), flush=True); {SLEEP}"
Supervisor().start(Child("x", [sys.executable, "-c", child], dict(os.environ)))
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    parent.wait()
    wait_until(lambda: not alive(pid), "the child's end", 10)
    parent.stdout.close()


def test_the_tether_starts_nothing_for_a_parent_that_is_gone(tmp_path: Path) -> None:
    touch = [sys.executable, "-c", "import sys; open(sys.argv[1], 'w').close()", str(tmp_path / "started")]
    for parent, status in ((str(os.getpid()), 0), ("999999999", 1)):
        done = subprocess.run(
            [sys.executable, "-m", "regrow.cli.die_with_parent", parent, *touch], cwd=ROOT, check=False
        )
        assert done.returncode == status
        assert (tmp_path / "started").exists() == (status == 0)
        (tmp_path / "started").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("module", "arguments", "settings", "message"),
    [
        ("regrow.worker", [], {"REGROW_LEASE": "PT2S"}, "three times REGROW_HEARTBEAT"),
        ("regrow.api", [], {"REGROW_PORT": "http"}, "REGROW_PORT: "),
        ("regrow.cli.embedded_valkey", ["gone", "socket"], {}, "gone"),
    ],
)
def test_A7_nothing_is_imported_from_the_current_folder(
    module: str,
    arguments: list[str],
    settings: dict[str, str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Children that end at once, for a reason of their own, in a folder with modules of the same names."""
    mark = tmp_path / "mark"
    for name in (
        "worker",
        "api",
        "core",
        "cli",
        "cli/die_with_parent",
        "cli/embedded_valkey",
        "redis",
        "random",
        "sitecustomize",
    ):
        hostile = tmp_path / f"{name}.py"
        hostile.parent.mkdir(exist_ok=True)
        hostile.write_text(f"open({str(mark)!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    child = Child("child", [*python(module), *arguments], os.environ | settings)
    child.start()
    assert child.process is not None
    assert child.process.wait(120) == 1
    assert message in capfd.readouterr().err
    assert not mark.exists()
