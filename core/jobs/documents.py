"""The JSON documents that a job leaves in the blob store, which is the truth about it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from regrow.core.access.principal import LOCAL
from regrow.core.codec.encode.units import UnitDocument
from regrow.core.codec.options import CodecOptions
from regrow.core.codec.presets import Effort
from regrow.core.codec.profile import Profile
from regrow.core.codec.reading.source_format import SourceFormat
from regrow.core.jobs.model import JobState, OnFailure, Priority

DOCUMENT_VERSION = 2


class Document(BaseModel):
    """Read by releases that know all its fields. version: for those to come."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = DOCUMENT_VERSION


class JobDocument(Document, CodecOptions):
    """`job.json`: what was asked for. Times in milliseconds since 1970.

    owner: whose job it is. width, height, channels: of the picture, after it was normalised; patches: units of
    the work (core.codec.encode.pricing). source_bytes: size of the file that was uploaded. patch_cost: of one unit.
    timeout: seconds that the job may run, from when a worker begins it. start_timeout: seconds that it may wait for
    that, from its creation, or from its last retry at timed_from_ms. group: that it belongs to. webhook: where to tell
    that it has ended. request_id: of the request that made it, for logs.
    colours: how the file's became sRGB (core.codec.images.Picture); source_format: what it was;
    None in older documents. effort: the one that was chosen for the picture, where the request named none. profile:
    rules in older documents, which do not say.
    """

    id: str
    owner: str = LOCAL
    created_ms: int
    width: int
    height: int
    channels: int
    colours: str | None = None
    source_format: SourceFormat | None = None
    source_bytes: int
    patches: int
    patch_cost: float
    priority: Priority = Priority.NORMAL
    on_failure: OnFailure = OnFailure.FAIL
    timeout: float | None = None
    start_timeout: float | None = None
    timed_from_ms: int | None = None
    group: str | None = None
    webhook: str | None = None
    request_id: str | None = None
    effort: Effort
    profile: Profile = Profile.RULES

    @property
    def start_deadline_ms(self) -> int | None:
        """When a worker must have begun the job, None for no such time."""
        entered = self.created_ms if self.timed_from_ms is None else self.timed_from_ms
        return None if self.start_timeout is None else entered + round(self.start_timeout * 1000)


class PartDocument(Document):
    """`parts/<start>-<stop>`: the results of the units start <= n < stop. patches: what came of each; failed: how
    many of them could not be done and are flat; patch_iterations: training iterations, summed over the patches;
    seconds: of fitting."""

    start: int
    stop: int
    patches: list[UnitDocument]
    failed: int = 0
    patch_iterations: int
    seconds: float


class OutcomeDocument(Document):
    """`outcome.json`: how a job ended. Times in milliseconds since 1970. state: a final one. patches_failed: that could
    not be fitted and are flat. attempts: batches handed to workers. psnr (dB), bytes: of the stored file. error_type,
    error_message: as in JobFailure."""

    state: JobState
    finished_ms: int
    started_ms: int | None = None
    patches_failed: int = 0
    attempts: int = 0
    psnr: float | None = None
    bytes: int | None = None
    error_type: str | None = None
    error_message: str | None = None


class IdempotencyDocument(Document):
    """`idempotency/<hash>`: which job or group a key was used for, a fingerprint of the request, and when it last said
    that it is being answered, in milliseconds since 1970."""

    job_id: str
    fingerprint: str
    created_ms: int


OPEN = "open/"
"""Under it, an empty object per job that has not ended: what a sweeper has to look after."""

JOBS = "jobs/"
IDEMPOTENCY = "idempotency/"


class JobKeys:
    """Where a job's objects are in the blob store. All keys are made here, none from a caller's text."""

    def __init__(self, job_id: str) -> None:
        self.prefix = f"{JOBS}{job_id}/"
        self.open = f"{OPEN}{job_id}"
        self.job = self.prefix + "job.json"
        self.source = self.prefix + "source.png"
        self.parts = self.prefix + "parts/"
        self.checkpoints = self.prefix + "checkpoints/"
        self.bundle = self.prefix + "bundle.gnca"
        self.report = self.prefix + "report.json"
        self.outcome = self.prefix + "outcome.json"

    def part(self, patches: range) -> str:
        """Of these patches' results."""
        return f"{self.parts}{patches.start:08d}-{patches.stop:08d}.json"

    def checkpoint(self, patches: range) -> str:
        """Of what a fit of these patches has so far."""
        return f"{self.checkpoints}{patches.start:08d}-{patches.stop:08d}.fit"


def patches_of(part_key: str) -> range:
    """The patches of a part, from its key."""
    start, stop = part_key.rpartition("/")[2].removesuffix(".json").split("-")
    return range(int(start), int(stop))
