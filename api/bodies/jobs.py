"""What the API sends: pydantic models, so that OpenAPI tells the truth."""

from __future__ import annotations

from pydantic import BaseModel

from regrow.api.asgi.prefix import below_prefix
from regrow.core.codec.profile import Profile
from regrow.core.jobs.links import bundle_path, job_path, picture_path
from regrow.core.jobs.model import Job, JobState, Priority, phase_of
from regrow.core.jobs.processes import ProcessRecord
from regrow.core.jobs.step import Step
from regrow.core.jobs.workers import WorkerRecord
from regrow.core.times import iso
from regrow.core.webhooks.model import DeliveryDocument


class JobErrorBody(BaseModel):
    """Why a job failed. type: a word for programs. message: for people."""

    type: str
    message: str


class JobLinks(BaseModel):
    """Paths on this server; picture, growth, bundle and report answer once the job has succeeded."""

    self: str
    picture: str
    growth: str
    bundle: str
    report: str
    source: str
    events: str
    cancel: str


class StepBody(BaseModel):
    """A step of a job that a worker has in hand. start, stop: the patches start <= n < stop; both 0 where it is of the
    whole job. queue: of messages, that it came by. worker: its node's name."""

    kind: str
    start: int
    stop: int
    queue: str
    worker: str
    started_at: str


class JobBody(BaseModel):
    """A job. What is not known yet is null, and so is what its profile does not have.

    preset, seed: of the profile rules. quality: of the profile seeds, where no target was given. patches_total: parts
    that the picture is encoded in, which are patches; one where the profile seeds has a target.
    progress: share of the work done, 0 to 1. psnr: dB, of the stored file, and so null until the job has
    succeeded. bytes: the stored file's size. attempts: batches handed to
    workers, repetitions included. queue_position: 1 for the first of the jobs that no worker has begun.
    steps: in work. warning: why nobody works on the job, where no live worker can.
    """

    id: str
    owner: str
    group: str | None
    state: JobState
    phase: str
    priority: Priority
    profile: Profile
    preset: str | None
    effort: str
    seed: str | None
    quality: float | None
    width: int
    height: int
    progress: float
    patches_done: int
    patches_total: int
    patches_failed: int
    psnr: float | None
    bytes: int | None
    queue_position: int | None
    eta_seconds: float | None
    attempts: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    error: JobErrorBody | None
    steps: list[StepBody]
    warning: str | None
    links: JobLinks

    @classmethod
    def of(cls, job: Job) -> JobBody:
        return cls(
            **{name: getattr(job, name) for name in _COPIED},
            phase=phase_of(job.state, job.profile),
            steps=[_step(step) for step in job.steps],
            error=JobErrorBody(type=job.error.type, message=job.error.message) if job.error else None,
            links=_links(job.id),
        )


def _step(step: Step) -> StepBody:
    return StepBody(
        kind=step.kind,
        start=step.start,
        stop=step.stop,
        queue=step.queue,
        worker=step.worker,
        started_at=iso(step.started_ms),
    )


def _links(job_id: str) -> JobLinks:
    job = below_prefix(job_path(job_id))
    return JobLinks(
        self=job,
        picture=below_prefix(picture_path(job_id)),
        growth=below_prefix(picture_path(job_id, "gif")),
        bundle=below_prefix(bundle_path(job_id)),
        report=f"{job}/report",
        source=f"{job}/source.png",
        events=f"{job}/events",
        cancel=f"{job}/cancel",
    )


_COPIED = (
    *(
        "id",
        "owner",
        "group",
        "state",
        "priority",
        "queue_position",
        "profile",
        "preset",
        "effort",
        "seed",
        "quality",
        "width",
        "height",
        "progress",
    ),
    *("patches_done", "patches_total", "patches_failed", "psnr", "bytes", "eta_seconds", "attempts"),
    *("created_at", "started_at", "finished_at", "warning"),
)


class JobList(BaseModel):
    """Jobs, newest first. next: the cursor of the page after this one; null on the last."""

    jobs: list[JobBody]
    next: str | None


class WorkerList(BaseModel):
    """The workers that are alive."""

    workers: list[WorkerRecord]


class Health(BaseModel):
    """status: `ok`."""

    status: str


class ReadinessWarning(BaseModel):
    """field: what it is about, as in the `errors` of a problem."""

    field: str
    message: str


class Readiness(Health):
    """warnings: what is wrong elsewhere, and hinders no answer of this API."""

    warnings: list[ReadinessWarning] = []


class ProcessList(BaseModel):
    """What `regrow serve` keeps running; empty in a fleet."""

    processes: list[ProcessRecord]


class Problem(BaseModel):
    """RFC 9457 problem details. type: a path that explains it; its last part is stable."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] = []


class ProblemKind(BaseModel):
    """What a type of problem means. status: that it is answered with."""

    type: str
    title: str
    status: int
    meaning: str

    @classmethod
    def of(cls, name: str, title: str, status: int, meaning: str) -> ProblemKind:
        return cls(type=below_prefix(f"/problems/{name}"), title=title, status=status, meaning=meaning)


class AttemptBody(BaseModel):
    """seconds: that it took. status: of the receiver's answer; error: why it is no success."""

    at: str
    seconds: float
    status: int | None
    error: str | None


class DeliveryBody(BaseModel):
    """A webhook's delivery. id: the receiver's `webhook-id`. state: pending, delivered or failed. next_at: of the next
    attempt. body: the JSON that is sent."""

    id: str
    owner: str
    url: str
    event: str
    state: str
    created_at: str
    next_at: str | None
    attempts: list[AttemptBody]
    body: str

    @classmethod
    def of(cls, delivery: DeliveryDocument) -> DeliveryBody:
        return cls(
            **delivery.model_dump(include={"id", "owner", "url", "event", "state", "body"}),
            created_at=iso(delivery.created_ms),
            next_at=None if delivery.next_ms is None else iso(delivery.next_ms),
            attempts=[
                AttemptBody(at=iso(each.at_ms), seconds=each.seconds, status=each.status, error=each.error)
                for each in delivery.attempts
            ],
        )


class DeliveryList(BaseModel):
    """Deliveries, newest first. next: the cursor of the page after this one; null on the last."""

    deliveries: list[DeliveryBody]
    next: str | None


class WebhookSecret(BaseModel):
    """What your webhooks are signed with, as Standard Webhooks has it."""

    secret: str
