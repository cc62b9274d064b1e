"""A work unit: what a worker is handed at a time, which is some patches of a job to fit, or the end of a job."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MOST_TRIES = 3
"""Of a unit that comes no further. Then a batch is split into its patches, and anything else is given up."""


class UnitKind(StrEnum):
    """abandon: give up a patch, or a job's assembly, that has failed too often."""

    FIT = "fit"
    ASSEMBLE = "assemble"
    ABANDON = "abandon"


@dataclass(frozen=True, slots=True)
class WorkUnit:
    """kind: what is to be done. start, stop: the patches start <= n < stop; both 0 where the unit is of the whole job.
    tries: how often it was handed out, this time included, without coming further. far: how far the furthest try came,
    in millionths of the work. number: of the claim, no two of which have the same. queue: of messages, that it was
    handed out to.
    """

    job_id: str
    kind: UnitKind
    start: int
    stop: int
    tries: int
    far: int = 0
    number: int = 0
    queue: str = ""

    @classmethod
    def of(cls, lease: str) -> WorkUnit:
        """From the text that Redis holds it by."""
        job_id, kind, start, stop, tries, far, number, queue = lease.split("/")
        return cls(job_id, UnitKind(kind), int(start), int(stop), int(tries), int(far), int(number), queue)

    @property
    def lease(self) -> str:
        """The text that Redis holds it by."""
        return f"{self.job_id}/{self.kind}/{self.start}/{self.stop}/{self.tries}/{self.far}/{self.number}/{self.queue}"

    @property
    def name(self) -> str:
        """What is done, in a few words for people."""
        match self.kind:
            case UnitKind.FIT:
                return f"patches {self.start} to {self.stop - 1}"
            case UnitKind.ASSEMBLE:
                return "the assembly"
            case UnitKind.ABANDON:
                return f"giving up patch {self.start}" if self.stop else "giving up the assembly"

    @property
    def patches(self) -> range:
        """Numbers of the patches; none where the unit is of the whole job."""
        return range(self.start, self.stop)
