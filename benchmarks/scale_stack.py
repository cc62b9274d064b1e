"""The processes that `regrow bench scale` measures, each ended by its own pid."""

from __future__ import annotations

import os
import tempfile
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from regrow.benchmarks.fleet import Fleet
from regrow.cli.child_processes import ChildProcess, wait_until
from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.seeds import SeedKind
from regrow.core.jobs.documents import JobDocument
from regrow.core.jobs.model import JobState, new_job_id
from regrow.core.jobs.redis_keys import Key
from regrow.core.jobs.settings import ServiceSettings
from regrow.core.jobs.store import Limits
from regrow.core.jobs.wiring import make_backend
from regrow.core.times import now_ms

TINY_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63484e4e0600025601"
    "2a1a8f33020000000049454e44ae426082"
)


class ScaleStack(Fleet):
    """A Valkey, an API, a sweeper and sleeping workers on one machine. Use as a context manager."""

    WORKER = "regrow.benchmarks.scale_worker"

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="regrow-scale-")
        folder = Path(self._temporary.name)
        settings = {
            "REGROW_BLOB_STORE": "files",
            "REGROW_BLOB_FOLDER": str(folder / "blobs"),
            "REGROW_ENGINE": "numba",
            "REGROW_BATCH_TIME": "PT0.000001S",  # so that every batch is a single patch
            "REGROW_MAX_PATCHES_PER_OWNER": "0",
            "REGROW_MAX_PATCHES": "0",
        }
        super().__init__(folder, os.environ | settings)
        self.backend = make_backend(
            ServiceSettings(
                redis_url=SecretStr(self.redis_url),
                blob_store="files",
                blob_folder=folder / "blobs",
                lease=timedelta(minutes=1),
            )
        )
        self.url = ""
        self._workers: list[ChildProcess] = []

    def begin(self) -> None:
        """Start everything but workers."""
        super().begin()
        self.start("regrow.sweeper")
        self.url = self.start_api(probe="/readyz").url

    def __exit__(self, *_: object) -> None:
        self.backend.redis.close()
        super().__exit__()
        self._temporary.cleanup()

    def set_workers(self, count: int, sleep: float = 0.0) -> None:
        """End the workers there are and start so many new ones. sleep: seconds a patch."""
        self.end(self._workers)
        self._workers = self.start_workers(count, self.WORKER, REGROW_BENCH_SLEEP=str(sleep))

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
        wait_until(lambda: self.backend.store.state(job_id) is JobState.SUCCEEDED, "the job's end", 3600, poll)
        started, finished = self.redis.hmget(Key.JOB.of(job_id), "started_ms", "finished_ms")  # type: ignore[misc]
        return (int(finished) - int(started)) / 1000

    def broker_seconds(self) -> float:
        """Processor time that Valkey has used."""
        info = self.redis.info("cpu")
        return float(info["used_cpu_user"] + info["used_cpu_sys"])  # type: ignore[index]

    def broker_bytes(self) -> int:
        return int(self.redis.info("memory")["used_memory"])  # type: ignore[index]
