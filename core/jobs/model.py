"""A job: one image on its way to a bundle. States, their legal transitions, and what is known of a job."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum

from regrow.core.codec.profile import Profile
from regrow.core.jobs.step import Step
from regrow.core.times import iso, now_ms


class Priority(StrEnum):
    """Between the jobs of one owner, the last first: those of a higher one are worked on first.

    Owners share the workers equally, whatever their jobs' priorities.
    """

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class OnFailure(StrEnum):
    """What becomes of a job one of whose patches cannot be fitted: it fails, or the patch gets one flat colour."""

    FAIL = "fail"
    FLAT = "flat"


class JobState(StrEnum):
    """Where a job is, from being queued to one of the three ends."""

    QUEUED = "queued"
    FITTING = "fitting"
    ASSEMBLING = "assembling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


RETRYABLE = frozenset({JobState.FAILED, JobState.CANCELLED})
"""The ends of a job without a picture, which every state before them may lead to."""

TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: RETRYABLE | {JobState.FITTING, JobState.ASSEMBLING},
    JobState.FITTING: RETRYABLE | {JobState.ASSEMBLING},
    JobState.ASSEMBLING: RETRYABLE | {JobState.SUCCEEDED},
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}
"""Every legal move. Claims and stored parts make those before the end (core/jobs/lua); an end is made once. A retry
makes a job that failed or was cancelled a new one of the same id. From queued to assembling goes a job whose last part
comes from a worker that Redis, which had lost its memory, knew nothing of."""

FINAL_STATES = frozenset(state for state, after in TRANSITIONS.items() if not after)

_PHASES = {
    JobState.QUEUED: "waiting for a worker",
    JobState.FITTING: "training one rule per patch",
    JobState.ASSEMBLING: "writing the bundle and measuring the regrown picture",
    JobState.SUCCEEDED: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


def phase_of(state: JobState, profile: Profile) -> str:
    """What goes on in this state of a job of this profile, for people."""
    if state is JobState.FITTING and profile is Profile.SEEDS:
        return "choosing what the picture grows from"
    return _PHASES[state]


def states_before(state: JobState) -> tuple[JobState, ...]:
    """The states that a job may move to `state` from."""
    return tuple(before for before, after in TRANSITIONS.items() if state in after)


def new_job_id() -> str:
    """An unguessable id of 32 hexadecimal digits, which sorts by time: 48 bits of milliseconds, 80 of chance."""
    return f"{now_ms():012x}{secrets.token_hex(10)}"


def is_job_id(text: str) -> bool:
    """Whether the text can be a job's id."""
    return len(text) == 32 and set(text) <= set("0123456789abcdef")


def created_ms(job_id: str) -> int:
    """When the id was made, in milliseconds since 1970."""
    return int(job_id[:12], 16)


@dataclass(frozen=True, slots=True)
class JobFailure:
    """type: machine-readable, kebab-case; message: one sentence for a person."""

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class Job:
    """What is known of a job; what is not known yet is None. Times: milliseconds since 1970.

    owner: whose it is (core.access). group: that it was sent in. profile, preset, effort, seed, quality: as asked
    for, or chosen; preset and seed are of the profile rules, quality of seeds without a target. width, height: of the
    picture, in pixels. patches_total: units of its work (core.codec.encode.pricing); patches_done: that are done;
    patches_failed: that could not be, and are flat. progress: share of the work done, in [0, 1]. eta_seconds: until its
    end, as far as its speed so far tells. psnr: dB, of the stored file, once the job has succeeded. bytes: size of the
    bundle. attempts: batches handed to workers, repetitions included. started_ms: when a worker began it.
    queue_position: 1 for the job that was accepted first of those that no worker has begun. error: why it failed.
    webhook: where its end is told. steps: in work. warning: why nobody works on it, where no live worker can.
    """

    id: str
    owner: str
    priority: Priority
    state: JobState
    effort: str
    width: int
    height: int
    patches_total: int
    patches_done: int
    progress: float
    created_ms: int
    profile: Profile = Profile.RULES
    preset: str | None = None
    seed: str | None = None
    quality: float | None = None
    group: str | None = None
    patches_failed: int = 0
    psnr: float | None = None
    bytes: int | None = None
    attempts: int = 0
    started_ms: int | None = None
    finished_ms: int | None = None
    eta_seconds: float | None = None
    queue_position: int | None = None
    error: JobFailure | None = None
    webhook: str | None = None
    steps: tuple[Step, ...] = ()
    warning: str | None = None

    @property
    def created_at(self) -> str:
        """As ISO 8601."""
        return iso(self.created_ms)

    @property
    def started_at(self) -> str | None:
        """As ISO 8601."""
        return None if self.started_ms is None else iso(self.started_ms)

    @property
    def finished_at(self) -> str | None:
        """As ISO 8601."""
        return None if self.finished_ms is None else iso(self.finished_ms)
