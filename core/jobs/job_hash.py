"""A job as its Redis hash tells it. A field has the same name there as in `Job`."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import TypeAdapter

from regrow.core.jobs.documents import JobDocument
from regrow.core.jobs.model import FINAL_STATES, Job, JobFailure, JobState
from regrow.core.jobs.redis_keys import Field
from regrow.core.jobs.step import steps_of
from regrow.core.jobs.unserved import warning_of
from regrow.core.times import now_ms

_JOB = TypeAdapter(Job)


def fields_of(document: JobDocument) -> dict[str, str]:
    """What the hash holds from the beginning."""
    asked = {
        "group": document.group,
        "webhook": document.webhook,
        "quality": document.quality,
        "preset": document.settings().preset_name,
        "seed": document.seed,
        "timeout_ms": None if document.timeout is None else round(document.timeout * 1000),
    }
    return {name: str(value) for name, value in asked.items() if value is not None} | {
        "owner": document.owner,
        "priority": str(document.priority),
        "profile": str(document.profile),
        "effort": str(document.effort),
        "width": str(document.width),
        "height": str(document.height),
        "patches_total": str(document.patches),
        "patch_cost": f"{document.patch_cost:.0f}",
        "created_ms": str(document.created_ms),
    }


def job_of(job_id: str, fields: Mapping[str, str], place: int | None, unserved: Mapping[str, str]) -> Job:
    """What is known of a job. fields: of its hash. place: among the jobs that no worker has begun, from 0. unserved:
    lines that no live worker takes from, and since when (redis_keys.Key.UNSERVED)."""
    # Protocol 3 had more numbers behind the first.
    live = sum(float(value.split()[0]) for name, value in fields.items() if name.startswith(Field.LIVE))
    progress = min(1.0, (int(fields["patches_done"]) + live) / int(fields["patches_total"]))
    failed = "error_type" in fields
    return _JOB.validate_python(
        {
            **fields,
            "id": job_id,
            "progress": progress,
            "eta_seconds": _eta(JobState(fields["state"]), progress, fields.get("started_ms")),
            "queue_position": None if place is None else place + 1,
            "steps": steps_of(text for name, text in fields.items() if name.startswith(Field.STEP)),
            "warning": warning_of(JobState(fields["state"]), unserved),
            "error": JobFailure(fields["error_type"], fields["error_message"]) if failed else None,
        }
    )


def _eta(state: JobState, progress: float, started_ms: str | None) -> float | None:
    """Seconds left, if the rest goes as fast as what is done; None while too little is done to tell."""
    if state in FINAL_STATES or started_ms is None or progress < 0.02:
        return None
    return max(0.0, (now_ms() - float(started_ms)) / 1000 * (1 - progress) / progress)
