"""The processes that `regrow bench service` measures: those of `regrow bench scale`, with real workers."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from regrow.benchmarks.decode import random_bundle
from regrow.benchmarks.scale_stack import TINY_PNG, ScaleStack
from regrow.benchmarks.service_app import FOLDER, MOUNT
from regrow.benchmarks.service_load import Plan, Seen
from regrow.cli.child_processes import python
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
        """Its memory that is not swapped out."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


class ServiceStack(ScaleStack):
    """A Valkey, a sweeper, workers that fit, and API processes that hand out files too. Use as a context manager."""

    WORKER = "regrow.worker"

    def begin(self) -> None:
        """Start what `regrow bench scale` does too."""
        super().begin()
        (self.folder / "static").mkdir()
        self.environment |= {FOLDER: str(self.folder / "static"), "REGROW_BATCH_TIME": "PT5S"}

    @contextlib.contextmanager
    def server(self, **settings: str) -> Iterator[Server]:
        """An API process with these settings, warmed up."""
        running = self.start_api("regrow.benchmarks.service_app", probe="/readyz", **settings)
        try:
            yield Server(running.port, running.process.pid)
        finally:
            self.end([running.process])

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
    command = python("regrow.benchmarks.service_load")
    done = subprocess.run(command, input=json.dumps(asdict(plan)), check=True, stdout=subprocess.PIPE, text=True)
    seen = Seen(**json.loads(done.stdout))
    seen.statuses = {int(status): count for status, count in seen.statuses.items()}  # JSON's keys are strings
    if not seen.statuses.keys() <= set(expected):
        raise RuntimeError(f"{[call.path for call in plan.calls[:3]]}: answers had status {seen.statuses}")
    return seen
