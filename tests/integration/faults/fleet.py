"""A whole service of separate processes, each of which a test may kill, stop and start again by its own pid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from regrow.benchmarks import fleet
from regrow.benchmarks.fleet import RunningApi
from regrow.core.jobs.model import FINAL_STATES
from regrow.core.jobs.workers import WorkerRecord
from tests.processes import Child
from tests.services import S3, spawn, variables, wait_until

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


class Fleet(fleet.Fleet):
    """blobs: an S3, or None for files."""

    def __init__(self, folder: Path, blobs: S3 | None = None, **settings: str) -> None:
        stores = blobs.environment() if blobs else {"REGROW_BLOB_FOLDER": str(folder / "blobs")}
        super().__init__(folder, variables({**QUICK, **stores, **settings}), spawn)
        self.api: Child
        self.client = httpx.Client(timeout=30)

    def __exit__(self, *_: object) -> None:
        self.client.close()
        super().__exit__()

    def start_api(self, module: str = "regrow.api", *, probe: str = "/livez", **settings: str) -> RunningApi:
        running = super().start_api(module, probe=probe, **settings)
        self.api, self.client.base_url = running.process, running.url
        return running

    def start_sweeper(self) -> Child:
        return self.start("regrow.sweeper")

    def alive(self) -> list[WorkerRecord]:
        return self.registry.alive()

    def busy(self, worker: Child) -> bool:
        return any(record.pid == worker.pid and record.current for record in self.alive())

    def training(self, worker: Child) -> bool:
        """Whether the worker is in the middle of a batch."""
        for record in self.alive():
            if record.pid == worker.pid and record.current and ": patches " in record.current:
                job_id, _, patches = record.current.partition(": patches ")
                told = self.redis.hget(f"regrow:job:{job_id}", f"live:{patches.split()[0]}")
                return bool(told) and float(str(told).split()[0]) > 0
        return False

    def send(self, data: bytes, headers: dict[str, str] | None = None, **options: object) -> str:
        """A job's path; of the profile rules, which faulty workers stand in for."""
        asked: dict[str, Any] = {"profile": "rules", "effort": "draft", **options}
        answer = self.client.post("/encode", content=data, params=asked, headers=headers)
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


def kill(child: Child) -> None:
    child.kill()
    child.wait()
