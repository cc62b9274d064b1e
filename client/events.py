"""A job's changes out of a stream of server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus

import httpx

from regrow.client import calls
from regrow.client.calls import Call
from regrow.client.models import JobEvent
from regrow.client.session import POLL_SECONDS, Session


class EventReader:
    """Reads a connection's bytes as they come. The server ends lines with a line feed, and an event with two."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[JobEvent]:
        """The events that are whole with this chunk. Raises ValueError, KeyError where one is not as the API has it."""
        *blocks, self._rest = (self._rest + chunk).split(b"\n\n")
        for block in blocks:
            fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if not line.startswith(":"))
            if "data" in fields:  # else it is a sign of life, or says when to connect again
                job = None if fields["event"] == "deleted" else json.loads(fields["data"])
                yield JobEvent.model_validate({"kind": fields["event"], "id": fields["id"], "job": job})


class Following:
    """One who follows a job, over as many connections as it takes. has_ended: whether the last event was seen."""

    def __init__(self, session: Session, job_id: str) -> None:
        self._session, self._job_id = session, job_id
        self._attempts, self._reader = session.attempts(), EventReader()
        self._last_id: str | None = None
        self.has_ended = False

    def call(self) -> Call[bytes]:
        """The next connection's: goes on after the last event that was seen."""
        self._reader = EventReader()
        return calls.events(self._job_id, self._last_id)

    def pause_after_answer(self, answer: httpx.Response) -> float:
        """Seconds to wait when this connection ends until the next one. Raises Refused."""
        pause = self._attempts.pause_after_answer(answer)
        if pause is not None:
            return pause
        self.has_ended = answer.status_code == HTTPStatus.NO_CONTENT
        self._attempts = self._session.attempts()
        return POLL_SECONDS

    def pause_after_failure(self, error: httpx.HTTPError | httpx.InvalidURL) -> float:
        """Seconds. Raises Unreachable, InvalidClientSettings."""
        return self._attempts.pause_after_failure(error)

    def feed(self, chunk: bytes) -> list[JobEvent]:
        """The events that are whole with this chunk of an answer that is no error. Raises UnexpectedAnswer."""
        with self._session.understanding():
            found = list(self._reader.feed(chunk))
        if found:
            self._last_id, self.has_ended = found[-1].id, found[-1].is_last
        return found
