"""The embedded stack: Valkey, workers and the API as child processes, one data folder, one Ctrl-C."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import quote

from pydantic import SecretStr
from redis.exceptions import RedisError

from regrow.cli import embedded_valkey
from regrow.cli.child_processes import (
    StackError,
    broker_answers,
    python,
    wait_until,
    workers_registered,
)
from regrow.cli.supervisor import Child, Supervisor
from regrow.core.errors import ServiceUnavailable
from regrow.core.jobs.processes import ProcessRecord
from regrow.core.jobs.settings import ServiceSettings
from regrow.core.jobs.wiring import Backend, make_backend
from regrow.core.setting_kinds import unknown_settings
from regrow.sweeper.sweep import sweep

START_SECONDS = 60
TEND_SECONDS = 0.2
REPORT_SECONDS = 2
LONGEST_SOCKET_PATH = 100  # the kernel allows 107


@dataclass(slots=True)
class Stack:
    """Use as a context manager. data: folder of everything that lasts; workers: how many worker processes."""

    data: Path
    host: str
    port: int
    workers: int = 1
    supervisor: Supervisor = field(default_factory=Supervisor)
    _backend: Backend | None = None
    _reported: list[ProcessRecord] = field(default_factory=list)
    _report_due: float = 0.0
    _socket_folder: tempfile.TemporaryDirectory[str] | None = None
    _lock: IO[str] | None = None
    _sweeper: threading.Thread | None = None
    _swept: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def __enter__(self) -> Stack:
        self.data = self.data.resolve()
        if set(str(self.data)) & set(" \t\n\"'#"):
            raise StackError(f"{self.data}: Valkey needs a data folder whose path is without spaces, quotes and #")
        (self.data / "valkey").mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.data)
        try:
            self.port = _free_port(self.host, self.port)
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all, in the reverse order: a worker hands its batch back while Valkey still runs."""
        self._swept.set()
        if self._sweeper is not None:
            self._sweeper.join()
        self.supervisor.stop()
        if self._backend is not None:
            self._backend.redis.close()
        if self._socket_folder is not None:
            self._socket_folder.cleanup()
        if self._lock is not None:
            self._lock.close()

    def wait(self, stopped: Callable[[], bool]) -> None:
        """Keep all running until `stopped` is true. Raises StackError when a process ends again and again."""
        while not stopped():
            self.tend()
            time.sleep(TEND_SECONDS)

    def tend(self) -> None:
        """Start again what has ended, and tell the dashboard. For whoever does something else than `wait`."""
        self.supervisor.tend()
        records = self.supervisor.records()
        if self._backend is None or (records == self._reported and time.monotonic() < self._report_due):
            return
        self._report_due = time.monotonic() + REPORT_SECONDS
        # It may be Valkey that has ended; and what only the dashboard needs must not end the service.
        with contextlib.suppress(ServiceUnavailable, RedisError):
            self._backend.processes.report(records, expires_after=5 * REPORT_SECONDS)
            self._reported = records

    def _start(self) -> None:
        path = self._socket_path()
        redis_url = f"unix://{path}?db=0"
        unknown = unknown_settings(os.environ)  # of which this process has told
        environment = (
            {"REGROW_ACCESS_LOG": "0"}  # the dashboard alone asks three times a second
            | {name: value for name, value in os.environ.items() if name not in unknown}
            | {
                "PYTHONSAFEPATH": "1",  # what children start imports nothing from the current folder either
                "REGROW_REDIS_URL": redis_url,
                "REGROW_BLOB_STORE": "files",
                "REGROW_BLOB_FOLDER": str(self.data / "blobs"),
                "REGROW_HOST": self.host,
                "REGROW_PORT": str(self.port),
            }
        )
        settings = ServiceSettings(redis_url=SecretStr(redis_url), blob_folder=self.data / "blobs", blob_store="files")
        self._backend = backend = make_backend(settings)
        folder = self.data / "valkey"
        log = str(folder / embedded_valkey.LOG)
        self._spawn("Valkey", environment, "regrow.cli.embedded_valkey", str(folder), str(path), messages=log)
        self._until(lambda: broker_answers(backend.store), "Valkey")
        workers = {self._spawn(f"worker {number}", environment, "regrow.worker") for number in range(self.workers)}
        self._spawn("API", environment, "regrow.api")
        self._until(lambda: _accepts(self.host, self.port), "the API")
        self._start_sweeper(settings)
        self._until(lambda: workers_registered(backend.workers, workers), "the workers")

    def _start_sweeper(self, settings: ServiceSettings) -> None:
        """In this process, which outlives those whose jobs it looks after."""
        self._sweeper = threading.Thread(target=sweep, args=[settings, self._swept], name="sweeper", daemon=True)
        self._sweeper.start()

    def _socket_path(self) -> Path:
        path = self.data / "valkey.sock"
        if len(str(path)) > LONGEST_SOCKET_PATH or quote(str(path)) != str(path):  # it becomes part of a URL
            self._socket_folder = tempfile.TemporaryDirectory(prefix="regrow-")
            path = Path(self._socket_folder.name) / "valkey.sock"
        return path

    def _spawn(
        self, name: str, environment: dict[str, str], module: str, *arguments: str, messages: str = "its messages above"
    ) -> int:
        return self.supervisor.start(Child(name, python(module, *arguments), environment, messages))

    def _until(self, ready: Callable[[], bool], name: str) -> None:
        def is_ready() -> bool:
            self.supervisor.check()
            return ready()

        try:
            wait_until(is_ready, name, START_SECONDS)
        except TimeoutError as error:
            raise StackError(f"{name} did not start within {START_SECONDS} seconds") from error


def _accepts(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def _free_port(host: str, port: int) -> int:
    """The port, or a free one for 0. Raises StackError where it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StackError(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port") from error
        free: int = probe.getsockname()[1]
        return free


def _locked(data: Path) -> IO[str]:
    """The data folder's lock, held until the file is closed: two Valkeys must not write one append-only file."""
    lock = (data / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StackError(f"another regrow serves from {data}: stop it, or choose another folder with --data") from error
    return lock
