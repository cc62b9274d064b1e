"""What the server says, as values. Fields that this release does not know are left aside."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

FINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})
"""Of a job; the others are queued, fitting and assembling."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Failure(_Answer):
    """Why a job failed, or an image was refused. type: kebab-case, stable; message: one sentence for a person."""

    type: str
    message: str


class Step(_Answer):
    """A step of a job that a worker has in hand. start, stop: the patches start <= n < stop; both 0 where it is of the
    whole job. queue: that it came by. worker: its name."""

    kind: str
    start: int
    stop: int
    queue: str
    worker: str
    started_at: datetime


class Job(_Answer):
    """One image on its way to a bundle. What is not known yet is None, and so is what its profile does not have.

    owner, group: that it belongs to. phase: the state in words. profile: `rules` or `seeds`. preset: of rules, `auto`
    where a target chooses it per patch; seed: of rules. quality: of seeds, where there is no target. width, height: of
    the picture, in pixels. progress: share of the work done, 0 to 1. psnr: dB, of the stored file, and None until the
    job has succeeded. bytes: the stored file's size. queue_position: 1 for the first of the jobs that no worker has
    begun. attempts: batches of patches handed to workers, repetitions included. steps: in work. warning: why nobody
    works on the job, where no live worker can. links: paths on the server by what they lead to, such as
    `bundle` (`Client.fetch` takes them).
    """

    id: str
    owner: str
    group: str | None
    state: str
    phase: str
    priority: str
    profile: str = "rules"
    preset: str | None
    effort: str
    seed: str | None
    quality: float | None = None
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
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: Failure | None
    steps: list[Step] = []
    warning: str | None = None
    links: dict[str, str]

    @property
    def has_ended(self) -> bool:
        return self.state in FINAL_STATES


class JobPage(_Answer):
    """Jobs, newest first. next: the cursor of the page after this one; None on the last."""

    jobs: tuple[Job, ...]
    next: str | None


class JobEvent(_Answer):
    """A change of a job. kind: `state` where its state is another, `progress` where more is done, or `deleted`.
    id: of the event, in their order. job: as it was then; None once deleted."""

    kind: str
    id: str
    job: Job | None

    @property
    def is_last(self) -> bool:
        return self.job is None or self.job.has_ended


class GroupImage(_Answer):
    """An image of a group. name: of its file. job: the job's id; None where the image was refused, as `error` says, or
    the job was deleted. picture, bundle: paths on the server. The other fields are the job's, None without one."""

    name: str
    job: str | None
    state: str | None
    progress: float | None
    patches_done: int | None
    patches_total: int | None
    psnr: float | None
    bytes: int | None
    error: Failure | None
    picture: str | None
    bundle: str | None

    @property
    def has_ended(self) -> bool:
        return self.job is None or self.state in FINAL_STATES


class Group(_Answer):
    """Many images that were sent together. ended: whether all jobs have. images: how many were sent; refused: how many
    of them have no job; left_out: files of archives that were not looked at. states: how many jobs are in which.
    progress: share of the accepted images' work that is done, 0 to 1. bytes: of all bundles so far. items: the images,
    in the order in which they were sent."""

    id: str
    owner: str
    created_at: datetime
    ended: bool
    images: int
    refused: int
    left_out: int
    states: dict[str, int]
    patches_done: int
    patches_total: int
    progress: float
    bytes: int
    eta_seconds: float | None
    items: tuple[GroupImage, ...]
    links: dict[str, str]


class FieldProblem(_Answer):
    """field: an option's name, or a file's. message: what is wrong with it."""

    field: str
    message: str


class Problem(_Answer):
    """RFC 9457 problem details, as far as they are there. type: a path that explains it."""

    type: str = ""
    detail: str = ""
    errors: tuple[FieldProblem, ...] = ()
