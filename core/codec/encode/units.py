"""What comes of a unit of an encode (core.codec.encode.pricing), and its JSON, as the parts of a job keep it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from regrow.core.codec.encode.candidate import Candidate, CandidateDocument

if TYPE_CHECKING:
    from regrow.core.codec.encode.seeds.encoder import SeedsUnit

    Unit = Sequence[Candidate] | SeedsUnit
    """Of the profile `rules`, all candidates for the unit's patch."""


class SeedsUnitDocument(BaseModel):
    """Of the profile `seeds` (core.codec.encode.seeds.encoder.SeedsUnit). version: of this document. payloads: in
    base64."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    step: int
    payloads: list[str]


UnitDocument = list[CandidateDocument] | SeedsUnitDocument


def document_of(unit: Unit) -> UnitDocument:
    """A unit's document."""
    if isinstance(unit, Sequence):
        return [CandidateDocument.of(candidate) for candidate in unit]
    return SeedsUnitDocument(step=unit.step, payloads=[base64.b64encode(each).decode() for each in unit.payloads])


def unit_of(document: UnitDocument) -> Unit:
    """The opposite of `document_of`. Raises InvalidSettings or ValueError for what no unit can be."""
    if isinstance(document, list):
        return [each.candidate() for each in document]
    from regrow.core.codec.encode.seeds.encoder import SeedsUnit  # which imports numba

    return SeedsUnit(document.step, tuple(base64.b64decode(each) for each in document.payloads))
