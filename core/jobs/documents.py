"""The JSON documents that a job leaves in the blob store, which is the truth about it."""

from __future__ import annotations

import base64

from pydantic import BaseModel, ConfigDict

from core.codec.allocation import Candidate
from core.codec.payload import Coder
from core.codec.presets import Effort, Preset
from core.codec.rule import RuleShape
from core.codec.seeds import SeedKind
from core.codec.settings import EncodeSettings

DOCUMENT_VERSION = 1


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = DOCUMENT_VERSION


class JobDocument(_Document):
    """`job.json`: what was asked for. source_bytes: size of the file that was uploaded."""

    id: str
    created_at: str
    width: int
    height: int
    channels: int
    source_bytes: int
    preset: Preset
    effort: Effort
    seed: SeedKind
    seed_number: int
    coder: Coder = Coder.ANS
    target_psnr: float | None = None
    max_bytes: int | None = None

    def settings(self) -> EncodeSettings:
        return EncodeSettings(
            self.preset,
            self.effort,
            self.seed,
            self.seed_number,
            coder=self.coder,
            target_psnr=self.target_psnr,
            max_bytes=self.max_bytes,
        )


class PlanDocument(_Document):
    """`plan.json`: which patches are in which batch."""

    batches: list[list[int]]


class CandidateDocument(_Document):
    """One encoding of a patch (core.codec.allocation.Candidate). payload: base64."""

    channels: int
    hidden: int
    visible: int
    payload: str
    error: int

    @classmethod
    def of(cls, candidate: Candidate) -> CandidateDocument:
        shape = candidate.shape
        return cls(
            channels=shape.channels,
            hidden=shape.hidden,
            visible=shape.visible,
            payload=base64.b64encode(candidate.payload).decode(),
            error=candidate.error,
        )

    def candidate(self) -> Candidate:
        shape = RuleShape(self.channels, self.hidden, self.visible)
        return Candidate(shape, base64.b64decode(self.payload), self.error)


class PartDocument(_Document):
    """`parts/<k>`: the result of batch k. patches: each one's candidates, in the batch's order; seconds: of fitting."""

    batch: int
    patches: list[list[CandidateDocument]]
    patch_iterations: int
    seconds: float


class JobKeys:
    """Where a job's objects are in the blob store. All keys are made here, none from a caller's text."""

    def __init__(self, job_id: str) -> None:
        self.prefix = f"jobs/{job_id}/"
        self.job = self.prefix + "job.json"
        self.source = self.prefix + "source.png"
        self.plan = self.prefix + "plan.json"
        self.parts = self.prefix + "parts/"
        self.bundle = self.prefix + "bundle.gnca"
        self.report = self.prefix + "report.json"

    def part(self, batch: int) -> str:
        return f"{self.parts}{batch:06d}.json"
