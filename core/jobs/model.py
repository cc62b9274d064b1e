"""A job: one image on its way to a bundle. States, their legal transitions, and what is known of a job."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class JobState(StrEnum):
    QUEUED = "queued"
    PLANNING = "planning"
    FITTING = "fitting"
    ASSEMBLING = "assembling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL_STATES = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})

_ENDS_EARLY = {JobState.FAILED, JobState.CANCELLED}

TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.PLANNING} | _ENDS_EARLY),
    JobState.PLANNING: frozenset({JobState.FITTING} | _ENDS_EARLY),
    JobState.FITTING: frozenset({JobState.ASSEMBLING} | _ENDS_EARLY),
    JobState.ASSEMBLING: frozenset({JobState.SUCCEEDED} | _ENDS_EARLY),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}
"""Every legal move. A move to the state a job is in already is not one: redelivered messages must notice."""

PHASES = {
    JobState.QUEUED: "waiting for a worker",
    JobState.PLANNING: "cutting the picture into batches of patches",
    JobState.FITTING: "training one rule per patch",
    JobState.ASSEMBLING: "writing the bundle and measuring the regrown picture",
    JobState.SUCCEEDED: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


def states_before(state: JobState) -> tuple[JobState, ...]:
    """The states that a job may move to `state` from."""
    return tuple(before for before, after in TRANSITIONS.items() if state in after)


def new_job_id() -> str:
    """A random, unguessable id of 32 hexadecimal digits."""
    return uuid.uuid4().hex


def now() -> str:
    """The current time, ISO 8601 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class JobFailure:
    """type: machine-readable, kebab-case; message: one sentence for a person."""

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class Job:
    """What is known of a job; what is not known yet is None.

    progress: share of the work done, in [0, 1]. psnr: dB; of the stored file once succeeded, before that of the
    unrounded rules so far. bytes: size of the bundle. attempts: batches started, redeliveries included.
    """

    id: str
    state: JobState
    preset: str
    effort: str
    seed: str
    width: int
    height: int
    patches_total: int
    patches_done: int
    patches_failed: int
    progress: float
    psnr: float | None
    bytes: int | None
    attempts: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    eta_seconds: float | None
    error: JobFailure | None
