"""A whole service of separate processes, each of which may be stopped and started again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from redis import Redis

from regrow.cli.child_processes import (
    ChildProcess,
    api_answers,
    broker_answers,
    end,
    free_ports,
    python,
    start,
    wait_for_start,
    workers_registered,
)
from regrow.core.jobs.store import JobStore
from regrow.core.jobs.workers import WorkerRegistry
from regrow.core.stores.redis import connect


@dataclass(frozen=True, slots=True)
class RunningApi:
    """An API process that answers at 127.0.0.1. log: the file of its output."""

    port: int
    process: ChildProcess
    log: Path

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"


Spawn = Callable[[str, Sequence[str], Mapping[str, str], Path], ChildProcess]
"""Starts `python -m module arguments` with these variables; what it says goes to the end of a file."""


def spawn(module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> ChildProcess:
    """The usual Spawn."""
    return start(python(module, *arguments), environment, log)


def start_api(
    environment: Mapping[str, str],
    log: Path,
    module: str = "regrow.api",
    *,
    probe: str = "/livez",
    spawn: Spawn = spawn,
) -> RunningApi:
    """Start an API process on a free port, and wait until a GET of `probe` is answered with 200.

    environment: all of its variables but REGROW_PORT. Raises StackError, TimeoutError.
    """
    (port,) = free_ports(1)
    child = spawn(module, (), {**environment, "REGROW_PORT": str(port)}, log)
    running = RunningApi(port, child, log)
    try:
        wait_for_start(child, lambda: api_answers(port, probe), "the API", log)
    except BaseException:
        end(child)
        raise
    return running


class Fleet:
    """A Valkey and what uses it. Use as a context manager: what still runs then is ended, the last first.

    folder: where Valkey keeps its data, and each kind of process its log. environment: all variables of the processes;
    REGROW_REDIS_URL is added to them. redis: a client for those who look into Valkey. registry: the workers it knows.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], spawn: Spawn = spawn) -> None:
        self.folder = folder
        self._socket = folder / "valkey.sock"
        self.redis_url = f"unix://{self._socket}?db=0"
        self.environment = {**environment, "REGROW_REDIS_URL": self.redis_url}
        self.redis: Redis = Redis.from_url(self.redis_url, decode_responses=True)
        self._connection = connect(self.redis_url)
        self.registry = WorkerRegistry(self._connection)
        self.broker: ChildProcess
        self._spawn = spawn
        self._running: list[ChildProcess] = []

    def __enter__(self) -> Self:
        (self.folder / "valkey").mkdir()
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def begin(self) -> None:
        """Start what runs from the beginning: Valkey, and whatever subclasses add."""
        self.start_broker()

    def __exit__(self, *_: object) -> None:
        while self._running:
            end(self._running.pop())
        self.redis.close()
        self._connection.close()

    def start(self, module: str, *arguments: str, **settings: str) -> ChildProcess:
        """Run `python -m module` as part of the fleet, with these variables too."""
        child = self._spawn(module, arguments, self.environment | settings, self._log_of(module))
        self._running.append(child)
        return child

    def end(self, children: Sequence[ChildProcess]) -> None:
        """End some of them, all at once."""
        for child in children:
            child.terminate()
        for child in children:
            end(child)
            self._running.remove(child)

    def log(self, module: str) -> str:
        """What the module's processes have written so far."""
        return self._log_of(module).read_text()

    def start_broker(self) -> None:
        """Start Valkey, and wait until it answers. This and the methods below raise StackError and TimeoutError."""
        module = "regrow.cli.embedded_valkey"
        self.broker = self.start(module, str(self.folder / "valkey"), str(self._socket))
        wait_for_start(self.broker, lambda: broker_answers(JobStore(self._connection)), "Valkey", self._log_of(module))

    def start_api(self, module: str = "regrow.api", *, probe: str = "/livez", **settings: str) -> RunningApi:
        """Start an API process, and wait until a GET of `probe` is answered with 200."""
        environment, log = self.environment | settings, self._log_of(module)
        running = start_api(environment, log, module, probe=probe, spawn=self._spawn)
        self._running.append(running.process)
        return running

    def start_workers(self, count: int, module: str = "regrow.worker", **settings: str) -> list[ChildProcess]:
        """Start workers, and wait until all of them take jobs."""
        workers = [self.start(module, **settings) for _ in range(count)]
        self.wait_for_workers(workers, module)
        return workers

    def wait_for_workers(self, workers: Sequence[ChildProcess], module: str = "regrow.worker") -> None:
        """Wait until these workers, which run `module`, take jobs."""
        for worker in workers:
            registered = partial(workers_registered, self.registry, [worker.pid])
            wait_for_start(worker, registered, "a worker", self._log_of(module))

    def _log_of(self, module: str) -> Path:
        return self.folder / f"{module}.log"
