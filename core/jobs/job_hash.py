"""A job as its Redis hash tells it."""

from __future__ import annotations

from collections.abc import Mapping

from regrow.core.jobs.documents import JobDocument
from regrow.core.jobs.model import FINAL_STATES, Job, JobFailure, JobState, Priority
from regrow.core.jobs.redis_keys import Field
from regrow.core.times import iso, now_ms


def fields_of(document: JobDocument) -> dict[str, str]:
    """What the hash holds from the beginning."""
    asked = {"group": document.group, "webhook": document.webhook}
    return {name: value for name, value in asked.items() if value is not None} | {
        "owner": document.owner,
        "priority": str(document.priority),
        "preset": document.settings().preset_name,
        "effort": str(document.effort),
        "seed": str(document.seed),
        "width": str(document.width),
        "height": str(document.height),
        "patches_total": str(document.patches),
        "patch_cost": f"{document.patch_cost:.0f}",
        "created_ms": str(document.created_ms),
    }


def job_of(job_id: str, fields: Mapping[str, str], place: int | None) -> Job:
    """place: among the jobs that no worker has begun, from 0."""
    state = JobState(fields["state"])
    total, started = int(fields["patches_total"]), _number(fields, "started_ms")
    done, finished = int(fields["patches_done"]), _number(fields, "finished_ms")
    # Protocol 3 had more numbers behind the first.
    live = sum(float(value.split()[0]) for name, value in fields.items() if name.startswith(Field.LIVE))
    progress = min(1.0, (done + live) / total)
    return Job(
        id=job_id,
        owner=fields["owner"],
        group=fields.get("group"),
        priority=Priority(fields["priority"]),
        state=state,
        preset=fields["preset"],
        effort=fields["effort"],
        seed=fields["seed"],
        width=int(fields["width"]),
        height=int(fields["height"]),
        patches_total=total,
        patches_done=done,
        patches_failed=int(fields.get("patches_failed", 0)),
        progress=progress,
        psnr=_number(fields, "psnr"),
        bytes=int(fields["bytes"]) if "bytes" in fields else None,
        attempts=int(fields.get("attempts", 0)),
        created_at=iso(float(fields["created_ms"])),
        started_at=None if started is None else iso(started),
        finished_at=None if finished is None else iso(finished),
        started_ms=None if started is None else int(started),
        finished_ms=None if finished is None else int(finished),
        eta_seconds=_eta(state, progress, started),
        queue_position=None if place is None else place + 1,
        error=JobFailure(fields["error_type"], fields["error_message"]) if "error_type" in fields else None,
        webhook=fields.get("webhook"),
    )


def _number(fields: Mapping[str, str], name: str) -> float | None:
    return float(fields[name]) if name in fields else None


def _eta(state: JobState, progress: float, started_ms: float | None) -> float | None:
    """Seconds left, if the rest goes as fast as what is done; None while too little is done to tell."""
    if state in FINAL_STATES or started_ms is None or progress < 0.02:
        return None
    return max(0.0, (now_ms() - started_ms) / 1000 * (1 - progress) / progress)
