"""How many connections fit into the files that this process may have open (`ulimit -n`)."""

from __future__ import annotations

import resource
from bisect import bisect_right
from dataclasses import dataclass

from regrow.core.errors import InvalidSettings
from regrow.core.jobs.events import MOST_FOLLOWERS, SPARE_CONNECTIONS

BACKLOG = 2048
"""The longest backlog: connections that wait to be accepted, and are accepted in one turn of the event loop."""

OTHER_FILES = 160
"""Files for everything but clients: connections to Redis and the blob store, temporary files, logs, libraries."""

FEWEST = 8

_GOES = 5
"""Backlogs that can be open beyond the limit on connections: one is left open, to be told 503; four are on their way
from the loop that accepts them to the moment when they are closed again."""


@dataclass(frozen=True, slots=True)
class Plan:
    """connections: open at a time. backlog: as `socket.listen` has it. files: what that takes, in all."""

    connections: int
    backlog: int

    @property
    def files(self) -> int:
        followers = min(self.connections, MOST_FOLLOWERS + SPARE_CONNECTIONS)  # each has a connection to Redis
        return self.connections + followers + _GOES * self.backlog + OTHER_FILES


def plan(wanted: int, may_open: int) -> Plan:
    """As many connections as were wanted, or as fit into so many files. Raises InvalidSettings where hardly any do."""
    full = Plan(wanted, BACKLOG)
    if full.files <= may_open:
        return full
    connections = bisect_right(range(1, wanted + 1), may_open, key=lambda count: _small(count).files)
    if connections < min(wanted, FEWEST):
        raise InvalidSettings(
            f"the process may open {may_open} files (ulimit -n): with {_small(FEWEST).files} it could answer"
        )
    return _small(connections)


def _small(connections: int) -> Plan:
    return Plan(connections, min(BACKLOG, 1 + connections // 10))


def may_open(wanted: int) -> int:
    """Files that the process may have open: its limit, raised towards what so many connections take if it can be."""
    soft, hard = (_number(limit) for limit in resource.getrlimit(resource.RLIMIT_NOFILE))
    most = min(hard, Plan(wanted, BACKLOG).files)
    if soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        except (ValueError, OSError):  # macOS has a limit below the one that it tells
            return soft
        return most
    return soft


def _number(limit: int) -> int:
    return 1 << 62 if limit == resource.RLIM_INFINITY else limit
