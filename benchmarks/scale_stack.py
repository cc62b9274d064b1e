"""The processes that `regrow bench scale` measures, each ended by its own pid."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
from pydantic import SecretStr
from redis import Redis

from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.seeds import SeedKind
from regrow.core.errors import ServiceUnavailable
from regrow.core.jobs.documents import JobDocument
from regrow.core.jobs.model import JobState, new_job_id
from regrow.core.jobs.redis_keys import Key
from regrow.core.jobs.settings import ServiceSettings
from regrow.core.jobs.store import JobStore, Limits
from regrow.core.jobs.wiring import make_backend
from regrow.core.times import now_ms

START_SECONDS = 120
TINY_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63484e4e0600025601"
    "2a1a8f33020000000049454e44ae426082"
)


class ScaleStack:
    """A Valkey, an API, a sweeper and sleeping workers on one machine. Use as a context manager."""

    WORKER = "regrow.benchmarks.scale_worker"

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._workers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> ScaleStack:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="regrow-scale-")))
        (folder / "valkey").mkdir()
        self.log = self._stack.enter_context((folder / "log").open("w+b"))
        self.redis_url = f"unix://{folder}/valkey.sock?db=0"
        port = free_port()
        self.folder = folder
        self.environment = os.environ | {
            "REGROW_REDIS_URL": self.redis_url,
            "REGROW_BLOB_STORE": "files",
            "REGROW_BLOB_FOLDER": str(folder / "blobs"),
            "REGROW_ENGINE": "numba",
            "REGROW_PORT": str(port),
            "REGROW_BATCH_TIME": "PT0.000001S",  # so that every batch is a single patch
            "REGROW_MAX_PATCHES_PER_OWNER": "0",
            "REGROW_MAX_PATCHES": "0",
        }
        self._start("regrow.cli.embedded_valkey", str(folder / "valkey"), str(folder / "valkey.sock"))
        self.redis: Redis = self._stack.enter_context(Redis.from_url(self.redis_url, decode_responses=True))
        settings = ServiceSettings(
            redis_url=SecretStr(self.redis_url),
            blob_store="files",
            blob_folder=folder / "blobs",
            lease=timedelta(minutes=1),
        )
        self.backend = make_backend(settings)
        self._stack.callback(self.backend.redis.close)
        wait_for(lambda: _answers(self.backend.store), "Valkey")
        self._start("regrow.sweeper")
        self._start("regrow.api")
        self.url = f"http://127.0.0.1:{port}"
        wait_for(lambda: api_answers(self.url), "the API")
        return self

    def __exit__(self, *_: object) -> None:
        self.set_workers(0)
        self._stack.close()

    def set_workers(self, count: int, sleep: float = 0.0) -> None:
        """End the workers there are and start so many new ones. sleep: seconds a patch."""
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.wait()
        environment = {"REGROW_BENCH_SLEEP": str(sleep)}
        self._workers = [self._spawn(self.WORKER, **environment) for _ in range(count)]
        pids = {worker.pid for worker in self._workers}
        wait_for(lambda: pids == {record.pid for record in self.backend.workers.alive()}, "the workers")

    def submit(self, patches: int) -> str:
        """A job of so many patches, each a batch of its own, without a picture to speak of; its id."""
        document = JobDocument(
            id=new_job_id(),
            created_ms=now_ms(),
            width=1,
            height=1,
            channels=3,
            source_bytes=len(TINY_PNG),
            patches=patches,
            patch_cost=1e9,
            preset=Preset.MICRO,
            effort=Effort.DRAFT,
            seed=SeedKind.SCAFFOLD,
            seed_number=0,
        )
        self.backend.jobs.write(document, TINY_PNG)
        self.backend.jobs.enter(document, Limits())
        return document.id

    def seconds_to_end(self, job_id: str, poll: float = 0.02) -> float:
        """By Redis' own clock, from the job's first claim to its end."""
        wait_for(lambda: self.backend.store.state(job_id) is JobState.SUCCEEDED, "the job's end", 3600, poll)
        started, finished = self.redis.hmget(Key.JOB.of(job_id), "started_ms", "finished_ms")  # type: ignore[misc]
        return (int(finished) - int(started)) / 1000

    def broker_seconds(self) -> float:
        """Processor time that Valkey has used."""
        info = self.redis.info("cpu")
        return float(info["used_cpu_user"] + info["used_cpu_sys"])  # type: ignore[index]

    def broker_bytes(self) -> int:
        return int(self.redis.info("memory")["used_memory"])  # type: ignore[index]

    def _start(self, module: str, *arguments: str) -> None:
        child = self._spawn(module, *arguments)
        self._stack.callback(end, child)

    def _spawn(self, module: str, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", module, *arguments]
        return subprocess.Popen(command, env=self.environment | settings, stdout=self.log, stderr=self.log)


def wait_for(ready: Callable[[], bool], what: str, seconds: float = START_SECONDS, poll: float = 0.05) -> None:
    """Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come about within {seconds:g} seconds")
        time.sleep(poll)


def end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    child.wait()


def api_answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url + "/readyz").status_code == 200
    return False


def _answers(store: JobStore) -> bool:
    with contextlib.suppress(ServiceUnavailable):
        store.check()
        return True
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
