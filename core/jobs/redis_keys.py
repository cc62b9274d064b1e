"""The keys of the job side in Redis, and names in its hashes. The Lua scripts are given them, too (scripts.py).

A job's state is in its hash. Three sets hold the ids of jobs by state, so that they can be counted and found without
reading all hashes: OPEN those not ended, WAITING those queued, ASSEMBLING those assembling. Only `move`, in
lua/common.lua, writes a state, and the sets with it. What is counted is made of them alone: queued = WAITING,
assembling = ASSEMBLING, fitting = OPEN - WAITING - ASSEMBLING. What is outstanding is, by owner and in all,
patches_total - patches_done of the open jobs: `owe` is called wherever one of these three changes. What has happened is
counted in COUNTERS, where it happens: a job's end in end.lua, a batch in counters.py.
"""

from __future__ import annotations

from enum import StrEnum


class Key(StrEnum):
    """Of one key, or, with `%s`, of one for each job, owner or worker. Times in them: milliseconds since 1970."""

    JOB = "regrow:job:%s"
    """Of an id. Hash: what is known of the job (job_hash.py)."""
    DONE = "regrow:job:%s:done"
    """Of an id. Bitmap: patches whose part is stored."""
    AGAIN = "regrow:job:%s:again"
    """Of an id. List: units handed back, `kind/start/stop/tries/far` (work_unit.py)."""
    EVENTS = "regrow:events:%s"
    """Of an id. Stream: the job's changes since a worker began it, state and patches done after each."""
    JOBS = "regrow:jobs"
    """Sorted set: ids of all jobs, by time of creation."""
    OPEN = "regrow:open"
    """Sorted set: ids of jobs that have not ended, by time of creation."""
    WAITING = "regrow:waiting"
    """Sorted set: ids of jobs that no worker has begun, by time of creation."""
    ASSEMBLING = "regrow:assembling"
    """Set: ids of jobs whose patches are all done."""
    OWNED = "regrow:owned:%s"
    """Of an owner. Sorted set: ids of their jobs, by time of creation."""
    LANE = "regrow:lane:%s:%s"
    """Of an owner and a priority. Sorted set: ids of jobs with patches to hand out, the next one first."""
    OWNERS = "regrow:owners"
    """Sorted set: owners with such jobs, by how much they were served (virtual time)."""
    SERVED = "regrow:served"
    """Sorted set: the same of owners without such jobs, as long as it is more than the clock."""
    CLOCK = "regrow:clock"
    """The virtual time of who was served last."""
    ENDING_LANE = "regrow:ending:lane:%s:%s"
    """This and the three below: as the four above, of jobs with all patches done. Whoever assembles need not fit."""
    ENDING_OWNERS = "regrow:ending:owners"
    ENDING_SERVED = "regrow:ending:served"
    ENDING_CLOCK = "regrow:ending:clock"
    SENT = "regrow:sent"
    """Sorted set: `<id>/kind/start/stop/tries/far/number/queue` of units that were sent, by when they ought to
    be begun."""
    LEASES = "regrow:leases"
    """Sorted set: the same of units that a worker has begun, by when the lease ends."""
    FLIGHT = "regrow:flight:%s"
    """Of a queue. Set: numbers of the units sent to it that have not ended."""
    QUEUES = "regrow:queues"
    """Hash: `slots cost` of each queue that live workers take from (capacity.py)."""
    CLAIMS = "regrow:claims"
    """How many claims there were, which is the number of the last."""
    UNSERVED = "regrow:unserved"
    """Hash: since when jobs wait in a line (unserved.py) that no live worker takes from."""
    DEADLINES = "regrow:deadlines"
    """Sorted set: ids of jobs that were begun, by when they must have ended."""
    START_DEADLINES = "regrow:start-deadlines"
    """Sorted set: ids of jobs that wait, by when they must have been begun."""
    PROTOCOL = "regrow:protocol"
    """The latest protocol that the open jobs are of (messages.py)."""
    OUTSTANDING = "regrow:outstanding"
    """Hash: patches accepted and not done, per owner; `*` has the sum."""
    PROBE = "regrow:probe"
    """Written to see whether that is possible (probe.lua)."""
    COUNTERS = "regrow:counters"
    """Hash: what has happened since memory was last lost (counters.py)."""
    WORKERS = "regrow:workers"
    """Sorted set: ids of the workers that are alive, by when their record expires, in seconds."""
    WORKER = "regrow:worker:%s"
    """Of a worker's id. JSON: its record (workers.py)."""
    DRAINED = "regrow:drained"
    """Set: ids of workers that were asked to take no more."""
    PROCESSES = "regrow:processes"
    """JSON: the records of the processes that `regrow serve` keeps running (processes.py)."""

    def of(self, *names: str) -> str:
        """The key of these names."""
        return self % names


class Field(StrEnum):
    """How the names of some fields begin."""

    LIVE = "live:"
    """In a job's hash, before a unit's first patch: how many patches' worth of the unit is fitted."""
    STEP = "step:"
    """In a job's hash, before a unit's number: `kind start stop queue begun worker` while a worker has it."""
    ENDED = "ended:"
    """In COUNTERS, before a state: how many jobs have ended in it."""
    FAILED = "failed:"
    """In COUNTERS, before an error's type: how many jobs have failed with it."""
