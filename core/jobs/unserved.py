"""Steps that wait although no live worker takes from a queue that they could be sent to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from regrow.core.jobs.messages import QueueName
from regrow.core.jobs.model import FINAL_STATES, JobState
from regrow.core.times import iso


class Line(StrEnum):
    """What a job waits for: to be fitted, or to be assembled."""

    FIT = "fit"
    ASSEMBLE = "assemble"


QUEUES = {Line.FIT: (QueueName.FIT_CPU, QueueName.FIT_CUDA), Line.ASSEMBLE: (QueueName.ASSEMBLE,)}
"""Any of these will do."""


def unserved_lines(served: Collection[str]) -> list[Line]:
    """Lines none of whose queues is among those that live workers take from."""
    return [line for line, queues in QUEUES.items() if not set(queues) & set(served)]


def warnings_of(unserved: Mapping[str, str]) -> list[str]:
    """For people. unserved: lines in which jobs wait for a worker, and since when, in milliseconds since 1970."""
    return [_warning(Line(line), since) for line, since in sorted(unserved.items())]


def warning_of(state: JobState, unserved: Mapping[str, str]) -> str | None:
    """Why nobody works on a job that is in this state; None where somebody may."""
    if state in FINAL_STATES:
        return None
    line = Line.ASSEMBLE if state is JobState.ASSEMBLING else Line.FIT
    return _warning(line, unserved[line]) if line in unserved else None


def _warning(line: Line, since: str) -> str:
    queues = " or ".join(QUEUES[line])
    return (
        f"since {iso(int(since))}, no live worker takes from {queues}, where steps wait: "
        f"start a worker (regrow worker), or one with -Q {QUEUES[line][0]}"
    )
