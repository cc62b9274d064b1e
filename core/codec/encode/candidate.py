"""What may stand for a patch in a bundle: its payload, and how far off it is."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from regrow.core.codec.rule import RuleShape


@dataclass(frozen=True, slots=True)
class Candidate:
    """One encoding of a patch.

    shape: of the rule. payload: its bytes in a bundle (core.codec.format.payload), as of preset number 0. error: sum of
    squared errors of what the decoder makes of it, in 8-bit levels.
    """

    shape: RuleShape
    payload: bytes
    error: int


class CandidateDocument(BaseModel):
    """A candidate in JSON, as the parts of a job and checkpoints keep it.

    version: of this document. channels, hidden, visible: of the candidate's shape. payload: in base64. error: as the
    candidate's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 2
    channels: int
    hidden: int
    visible: int
    payload: str
    error: int

    @classmethod
    def of(cls, candidate: Candidate) -> CandidateDocument:
        """The candidate's document."""
        shape = candidate.shape
        return cls(
            channels=shape.channels,
            hidden=shape.hidden,
            visible=shape.visible,
            payload=base64.b64encode(candidate.payload).decode(),
            error=candidate.error,
        )

    def candidate(self) -> Candidate:
        """The opposite of `of`. Raises InvalidSettings or ValueError for what no candidate can be."""
        shape = RuleShape(self.channels, self.hidden, self.visible)
        return Candidate(shape, base64.b64decode(self.payload), self.error)
