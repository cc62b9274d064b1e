"""A whole service of separate processes, each of which a test may kill, stop and start again by its own pid."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from regrow.core.jobs.model import FINAL_STATES
from regrow.core.jobs.workers import WorkerRecord, WorkerRegistry
from regrow.core.stores.redis import connect
from tests import processes
from tests.processes import Child
from tests.services import S3, free_ports, wait_until

QUICK = {
    "REGROW_ENGINE": "numba",
    "REGROW_LEASE": "PT2S",
    "REGROW_HEARTBEAT": "PT0.3S",
    "REGROW_CHECKPOINT_TIME": "PT0.5S",
    "REGROW_NICE": "0",
    "NUMBA_NUM_THREADS": "1",
}
"""Times short enough to wait for. Workers share the machine, so each has one thread; a test waits for them, and so
they do not stand back for it."""


class Fleet:
    """Use as a context manager: everything that still runs then is ended. blobs: an S3, or None for files."""

    def __init__(self, folder: Path, blobs: S3 | None = None, **settings: str) -> None:
        self.folder = folder
        self._socket = folder / "valkey.sock"
        self.redis_url = f"unix://{self._socket}?db=0"
        stores = blobs.environment() if blobs else {"REGROW_BLOB_FOLDER": str(folder / "blobs")}
        self.environment = {"REGROW_REDIS_URL": self.redis_url, **QUICK, **stores, **settings}
        self._running: list[Child] = []
        self._stack = contextlib.ExitStack()
        self.broker: Child
        self.api: Child
        self.client: httpx.Client

    def __enter__(self) -> Fleet:
        (self.folder / "valkey").mkdir()
        self.start_broker()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        for child in reversed(self._running):
            if child.poll() is None:
                child.send_signal(signal.SIGCONT)
                child.terminate()
                try:
                    child.wait(20)
                except subprocess.TimeoutExpired:
                    child.kill()
        for child in self._running:
            child.wait()

    @property
    def redis(self) -> Redis:
        return self._stack.enter_context(connect(self.redis_url))

    def start(self, module: str, *arguments: str, **settings: str) -> Child:
        """`python -m module` as part of the fleet."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("REGROW_")}
        environment = inherited | self.environment | settings
        child = processes.start(module, *arguments, environment=environment, out=self.folder / f"{module}.log")
        self._running.append(child)
        return child

    def log(self, module: str) -> str:
        return (self.folder / f"{module}.log").read_text()

    def start_broker(self) -> None:
        self.broker = self.start("regrow.cli.embedded_valkey", str(self.folder / "valkey"), str(self._socket))
        wait_until(self._broker_answers, "Valkey's start")

    def start_api(self, module: str = "regrow.api", **settings: str) -> None:
        (port,) = free_ports(1)
        self.api = self.start(module, REGROW_PORT=str(port), **settings)
        self.client = self._stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30))
        wait_until(self._api_answers, "the API's start")

    def start_sweeper(self) -> Child:
        return self.start("regrow.sweeper")

    def start_workers(self, count: int, module: str = "regrow.worker", **settings: str) -> list[Child]:
        """Ready ones."""
        workers = [self.start(module, **settings) for _ in range(count)]
        self.wait_for_workers(workers)
        return workers

    def wait_for_workers(self, workers: list[Child]) -> None:
        wanted = {worker.pid for worker in workers}
        wait_until(lambda: wanted <= {record.pid for record in self.alive()}, "the workers' start", 120)

    def alive(self) -> list[WorkerRecord]:
        with connect(self.redis_url) as redis:
            return WorkerRegistry(redis).alive()

    def busy(self, worker: Child) -> bool:
        return any(record.pid == worker.pid and record.current for record in self.alive())

    def training(self, worker: Child) -> bool:
        """Whether the worker is in the middle of a batch."""
        for record in self.alive():
            if record.pid == worker.pid and record.current and ": patches " in record.current:
                job_id, _, patches = record.current.partition(": patches ")
                with connect(self.redis_url) as redis:
                    told = redis.hget(f"regrow:job:{job_id}", f"live:{patches.split()[0]}")
                return bool(told) and float(str(told).split()[0]) > 0
        return False

    def send(self, data: bytes, headers: dict[str, str] | None = None, **options: object) -> str:
        """A job's path."""
        answer = self.client.post("/encode", content=data, params={"effort": "draft", **options}, headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 202, answer.text
        return answer.headers["location"]

    def job(self, path: str) -> dict[str, Any]:
        body: dict[str, Any] = self.client.get(path).raise_for_status().json()
        return body

    def wait_for_end(self, path: str, seconds: float = 120) -> dict[str, Any]:
        wait_until(lambda: self.job(path)["state"] in FINAL_STATES, f"the end of {path}", seconds)
        return self.job(path)

    def wait_for_state(self, path: str, state: str, seconds: float = 60) -> None:
        wait_until(lambda: self.job(path)["state"] == state, f"{path} being {state}", seconds)

    def bundle(self, path: str) -> bytes:
        return self.client.get(path + "/bundle").raise_for_status().content

    def files(self, path: str) -> list[str]:
        """What the blob folder has of a job; not what a killed process was writing, which goes when it is old."""
        folder = self.folder / "blobs" / path.lstrip("/")
        found = [each for each in folder.rglob("*") if each.is_file() and not each.name.startswith(".tmp-")]
        return sorted(str(each.relative_to(folder)) for each in found)

    def _broker_answers(self) -> bool:
        assert self.broker.poll() is None, self.log("regrow.cli.embedded_valkey")
        with contextlib.suppress(Exception), connect(self.redis_url) as redis:
            return bool(redis.ping())
        return False

    def _api_answers(self) -> bool:
        assert self.api.poll() is None, "the API ended"
        with contextlib.suppress(httpx.HTTPError):
            return self.client.get("/livez").status_code == 200
        return False


def kill(child: Child) -> None:
    child.kill()
    child.wait()
