"""A step of a job that a worker has in hand, as the job's hash tells it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from regrow.core.jobs.work_unit import UnitKind


@dataclass(frozen=True, slots=True)
class Step:
    """kind: what is done. start, stop: the patches start <= n < stop; both 0 where it is done for the whole job. queue:
    that it came by. worker: the node's name. started_ms: when it was begun, in milliseconds since 1970."""

    kind: UnitKind
    start: int
    stop: int
    queue: str
    worker: str
    started_ms: int

    @classmethod
    def of(cls, text: str) -> Step:
        """From a field of the job's hash (redis_keys.Field.STEP)."""
        kind, start, stop, queue, begun, worker = text.split(" ", 5)
        return cls(UnitKind(kind), int(start), int(stop), queue, worker, int(begun))


def steps_of(texts: Iterable[str]) -> tuple[Step, ...]:
    """Those of a job, the one begun first first."""
    return tuple(sorted((Step.of(text) for text in texts), key=lambda step: (step.started_ms, step.start)))
