"""The client for programs that wait for each answer."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any, Unpack

import httpx

from regrow.client import calls
from regrow.client.calls import Call, Result
from regrow.client.events import Following
from regrow.client.models import Group, Job, JobEvent, JobPage
from regrow.client.options import EncodeOptions, PictureKind, ViewOptions
from regrow.client.session import PATIENCE_SECONDS, POLL_SECONDS, Session, naming_settings


class Client:
    """Use as a context manager. Every method raises ClientError; a busy or restarting server is waited for.

    server: its address, with the path that it is below, if any. key: API key. patience: seconds that the server may be
    busy or away. transport: what sends the requests, for tests.
    """

    def __init__(
        self,
        server: str,
        key: str | None = None,
        patience: float = PATIENCE_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._session = Session(server, key, patience)
        with naming_settings():
            self._http = httpx.Client(**self._session.http_options, transport=transport)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(self, image: bytes, **options: Unpack[EncodeOptions]) -> Job:
        """Send an image file. The same file and options make one job, however often they are sent within a day."""
        return self._send(calls.submit(image, options))

    def job(self, job_id: str) -> Job:
        """A job as it is now."""
        return self._send(calls.job(job_id))

    def jobs(self, states: Sequence[str] = (), limit: int = 50, cursor: str | None = None) -> JobPage:
        """A page of jobs, newest first. states: only those in one of them. limit: 1 to 200. cursor: `next` of the page
        before."""
        return self._send(calls.jobs(states, limit, cursor))

    def wait(self, job_id: str) -> Job:
        """The job when it has ended: follows its events, and comes again when the connection breaks."""
        job = self.job(job_id)
        while not job.has_ended:
            with contextlib.suppress(httpx.HTTPError), self._open(calls.events(job_id)) as answer:
                for _ in answer.iter_bytes():
                    continue
            job = self.job(job_id)
            if not job.has_ended:  # the connection broke, or too many follow jobs
                time.sleep(POLL_SECONDS)
        return job

    def events(self, job_id: str) -> Iterator[JobEvent]:
        """A job's changes as they happen, the first of them its state now, until it has ended or is deleted."""
        following = Following(self._session, job_id)
        while not following.has_ended:
            try:
                with self._open(following.call()) as answer:
                    if answer.is_error:
                        answer.read()
                    pause = following.pause_after_answer(answer)
                    if not answer.is_error:
                        for chunk in answer.iter_bytes():
                            yield from following.feed(chunk)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                pause = following.pause_after_failure(error)
            if not following.has_ended:
                time.sleep(pause)

    def cancel(self, job_id: str) -> Job:
        """Stop a job that has not ended. Raises Conflict where it has."""
        return self._send(calls.cancel(job_id))

    def retry(self, job_id: str) -> Job:
        """Queue a job again that failed or was cancelled."""
        return self._send(calls.retry(job_id))

    def delete(self, job_id: str) -> None:
        """Remove a job with its picture and its bundle; one that is on the way is stopped."""
        self._send(calls.delete(job_id))

    def bundle(self, job_id: str) -> bytes:
        """The stored file. Raises Conflict where the job has none."""
        return self._send(calls.bundle(job_id))

    def report(self, job_id: str) -> dict[str, Any]:
        """Quality, sizes and work of a job that has succeeded. Raises Conflict."""
        return self._send(calls.report(job_id))

    def source(self, job_id: str) -> bytes:
        """The picture that was sent, as PNG: upright, in sRGB, without metadata."""
        return self._send(calls.source(job_id))

    def picture(
        self, job_id: str, kind: PictureKind = "png", *, animate: bool = False, **view: Unpack[ViewOptions]
    ) -> bytes:
        """A job's picture, regrown from its bundle, as a file. animate: its growth instead; of `webp` only."""
        return self._send(calls.picture(job_id, kind, view, animate=animate))

    def decode(self, bundle: bytes, kind: PictureKind = "png", **view: Unpack[ViewOptions]) -> bytes:
        """The picture of a bundle that is sent along, as a file. The server keeps nothing of it."""
        return self._send(calls.decode(bundle, kind, view))

    def submit_group(self, images: Sequence[tuple[str, bytes]], **options: Unpack[EncodeOptions]) -> Group:
        """Send many image files, each with its name. The same files and options make one group, as with `submit`."""
        return self._send(calls.submit_group(images, options))

    def group(self, group_id: str) -> Group:
        """A group as it is now."""
        return self._send(calls.group(group_id))

    def wait_for_group(self, group_id: str) -> Group:
        """The group when all of its jobs have ended."""
        while not (group := self.group(group_id)).ended:
            time.sleep(POLL_SECONDS)
        return group

    def cancel_group(self, group_id: str) -> Group:
        """Stop the group's jobs that have not ended."""
        return self._send(calls.cancel_group(group_id))

    def delete_group(self, group_id: str) -> None:
        """Remove a group with all its jobs, their pictures and bundles."""
        self._send(calls.delete_group(group_id))

    def fetch(self, link: str) -> bytes:
        """What one of the links of a job, a group or an image leads to."""
        return self._send(calls.fetch(self._session.path_of(link)))

    @contextlib.contextmanager
    def _open(self, call: Call[bytes]) -> Iterator[httpx.Response]:
        """An answer to read bit by bit."""
        answer = self._http.send(call.request(self._http), stream=True)
        with contextlib.closing(answer):
            yield answer

    def _send(self, call: Call[Result]) -> Result:
        """Asks again for as long as patience lasts where that may help."""
        attempts = self._session.attempts()
        while True:
            try:
                answer = self._http.send(call.request(self._http))
                pause = attempts.pause_after_answer(answer)
                if pause is None:
                    return self._session.read(call, answer)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                pause = attempts.pause_after_failure(error)
            time.sleep(pause)
