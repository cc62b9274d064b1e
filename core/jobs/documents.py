"""The JSON documents that a job leaves in the blob store, which is the truth about it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from core.codec.presets import Effort, Preset
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

    def settings(self) -> EncodeSettings:
        return EncodeSettings(self.preset, self.effort, self.seed, self.seed_number)


class PlanDocument(_Document):
    """`plan.json`: which patches are in which batch."""

    batches: list[list[int]]


class PartDocument(_Document):
    """`parts/<k>`: the result of batch k. payloads: base64, in the order of the batch; seconds: of fitting."""

    batch: int
    payloads: list[str]
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
