"""The job side without processes, and jobs without pictures, for tests of what becomes of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.seeds import SeedKind
from regrow.core.jobs.documents import JobDocument
from regrow.core.jobs.lifecycle import Jobs
from regrow.core.jobs.model import new_job_id
from regrow.core.jobs.settings import ServiceSettings
from regrow.core.jobs.store import Limits
from regrow.core.jobs.wiring import Backend, make_backend
from regrow.core.times import now_ms


def job_document(patches: int = 9, **more: Any) -> JobDocument:
    """A job of so many patches, each of cost 1."""
    fields: dict[str, Any] = {
        "id": new_job_id(),
        "created_ms": now_ms(),
        "width": 40 * patches,
        "height": 40,
        "channels": 3,
        "source_bytes": 1,
        "patches": patches,
        "patch_cost": 1.0,
        "preset": Preset.SMALL,
        "effort": Effort.DRAFT,
        "seed": SeedKind.SCAFFOLD,
        "seed_number": 0,
    }
    return JobDocument(**fields | more)


def backend_at(redis_url: str, blob_folder: Path) -> Backend:
    """The job side on this Redis and this folder, with leases of a minute."""
    return make_backend(
        ServiceSettings(
            redis_url=SecretStr(redis_url), blob_store="files", blob_folder=blob_folder, lease=timedelta(minutes=1)
        )
    )


def accept(jobs: Jobs, document: JobDocument, source: bytes = b"a picture", limits: Limits | None = None) -> None:
    """Store a job and queue it, as the API does."""
    jobs.write(document, source)
    jobs.enter(document, limits or Limits())


def finish_fitting(jobs: Jobs, job_id: str) -> None:
    """As if workers had fitted all patches of the job: what is left is to assemble it."""
    document = jobs.document(job_id)
    jobs.store.forget(job_id)
    jobs.store.enter(document, parts=[range(document.patches)])
