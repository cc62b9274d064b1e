"""Jobs without pictures, for tests of what becomes of them."""

from __future__ import annotations

from typing import Any

from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.seeds import SeedKind
from regrow.core.jobs.documents import JobDocument
from regrow.core.jobs.model import new_job_id
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
