"""The processes that `regrow bench service` measures: those of `regrow bench scale`, with real workers."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from regrow.benchmarks.decode import random_bundle
from regrow.benchmarks.scale_stack import TINY_PNG, ScaleStack, api_answers, end, free_port, wait_for
from regrow.benchmarks.service_app import FOLDER, MOUNT
from regrow.benchmarks.service_load import Plan, Seen
from regrow.core.codec.decode import decode
from regrow.core.codec.picture_files import FileKind, write_picture
from regrow.core.codec.presets import PATCH_SIZE, Effort, Preset
from regrow.core.codec.seeds import SeedKind
from regrow.core.jobs.documents import JobDocument, JobKeys
from regrow.core.jobs.model import new_job_id
from regrow.core.times import now_ms


@dataclass(frozen=True, slots=True)
class Server:
    """One API process."""

    port: int
    pid: int

    @property
    def resident_bytes(self) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


class ServiceStack(ScaleStack):
    """A Valkey, a sweeper, workers that fit, and API processes that hand out files too. Use as a context manager."""

    WORKER = "regrow.worker"

    def __enter__(self) -> ServiceStack:
        super().__enter__()
        (self.folder / "static").mkdir()
        self.environment |= {FOLDER: str(self.folder / "static"), "REGROW_BATCH_TIME": "PT5S"}
        return self

    @contextlib.contextmanager
    def server(self, **settings: str) -> Iterator[Server]:
        """An API process with these settings, warmed up."""
        port = free_port()
        child = self._spawn("regrow.benchmarks.service_app", REGROW_PORT=str(port), **settings)
        try:
            wait_for(lambda: api_answers(f"http://127.0.0.1:{port}"), "the API")
            yield Server(port, child.pid)
        finally:
            end(child)

    def add_picture(self, side: int, seed: int) -> str:
        """A job that has succeeded, of random rules; its id."""
        patches = (-(-side // PATCH_SIZE)) ** 2
        document = JobDocument(
            id=new_job_id(),
            created_ms=now_ms(),
            width=side,
            height=side,
            channels=3,
            source_bytes=len(TINY_PNG),
            patches=patches,
            patch_cost=1.0,
            preset=Preset.SMALL,
            effort=Effort.DRAFT,
            seed=SeedKind.SCAFFOLD,
            seed_number=0,
        )
        data = random_bundle(side, side, seed)
        self.backend.jobs.write(document, TINY_PNG)
        self.backend.store.enter(document, parts=[range(patches)])  # as if workers had fitted it
        self.backend.blobs.put(JobKeys(document.id).bundle, data)
        self.backend.jobs.succeed(document.id, 30.0, len(data))
        return document.id

    def add_file(self, job_id: str) -> str:
        """The job's picture as a plain file; its path at the server."""
        data = write_picture(decode(self.backend.jobs.bundle(job_id)).picture, FileKind.PNG)
        (self.folder / "static" / f"{job_id}.png").write_bytes(data)
        return f"{MOUNT}/{job_id}.png"


def load(plan: Plan, *expected: int) -> Seen:
    """What clients in another process saw. Raises RuntimeError where an answer has another status."""
    command = [sys.executable, "-P", "-m", "regrow.benchmarks.service_load"]
    done = subprocess.run(command, input=json.dumps(asdict(plan)), check=True, stdout=subprocess.PIPE, text=True)
    seen = Seen(**json.loads(done.stdout))
    seen.statuses = {int(status): count for status, count in seen.statuses.items()}  # JSON's keys are strings
    if not seen.statuses.keys() <= set(expected):
        raise RuntimeError(f"{[call.path for call in plan.calls[:3]]}: answers had status {seen.statuses}")
    return seen
