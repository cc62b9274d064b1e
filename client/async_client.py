"""The client for programs of asyncio: the same methods as those of `Client`, to be awaited."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, Unpack

import httpx

from regrow.client import calls
from regrow.client.calls import Call, Result
from regrow.client.events import Following
from regrow.client.models import Group, Job, JobEvent, JobPage
from regrow.client.options import EncodeOptions, PictureKind, ViewOptions
from regrow.client.session import PATIENCE_SECONDS, POLL_SECONDS, Session, naming_settings


class AsyncClient:
    """Use as an async context manager. Every method raises ClientError; a busy or restarting server is waited for.

    server: its address, with the path that it is below, if any. key: API key. patience: seconds that the server may be
    busy or away. transport: what sends the requests, for tests.
    """

    def __init__(
        self,
        server: str,
        key: str | None = None,
        patience: float = PATIENCE_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._session = Session(server, key, patience)
        with naming_settings():
            self._http = httpx.AsyncClient(**self._session.http_options, transport=transport)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def submit(self, image: bytes, **options: Unpack[EncodeOptions]) -> Job:
        """Send an image file. The same file and options make one job, however often they are sent within a day."""
        return await self._send(calls.submit(image, options))

    async def job(self, job_id: str) -> Job:
        """A job as it is now."""
        return await self._send(calls.job(job_id))

    async def jobs(self, states: Sequence[str] = (), limit: int = 50, cursor: str | None = None) -> JobPage:
        """A page of jobs, newest first. states: only those in one of them. limit: 1 to 200. cursor: `next` of the page
        before."""
        return await self._send(calls.jobs(states, limit, cursor))

    async def wait(self, job_id: str) -> Job:
        """The job when it has ended: follows its events, and comes again when the connection breaks."""
        job = await self.job(job_id)
        while not job.has_ended:
            with contextlib.suppress(httpx.HTTPError):
                async with self._open(calls.events(job_id)) as answer:
                    async for _ in answer.aiter_bytes():
                        continue
            job = await self.job(job_id)
            if not job.has_ended:  # the connection broke, or too many follow jobs
                await asyncio.sleep(POLL_SECONDS)
        return job

    async def events(self, job_id: str) -> AsyncIterator[JobEvent]:
        """A job's changes as they happen, the first of them its state now, until it has ended or is deleted."""
        following = Following(self._session, job_id)
        while not following.has_ended:
            try:
                async with self._open(following.call()) as answer:
                    if answer.is_error:
                        await answer.aread()
                    pause = following.pause_after_answer(answer)
                    if not answer.is_error:
                        async for chunk in answer.aiter_bytes():
                            for event in following.feed(chunk):
                                yield event
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                pause = following.pause_after_failure(error)
            if not following.has_ended:
                await asyncio.sleep(pause)

    async def cancel(self, job_id: str) -> Job:
        """Stop a job that has not ended. Raises Conflict where it has."""
        return await self._send(calls.cancel(job_id))

    async def retry(self, job_id: str) -> Job:
        """Queue a job again that failed or was cancelled."""
        return await self._send(calls.retry(job_id))

    async def delete(self, job_id: str) -> None:
        """Remove a job with its picture and its bundle; one that is on the way is stopped."""
        await self._send(calls.delete(job_id))

    async def bundle(self, job_id: str) -> bytes:
        """The stored file. Raises Conflict where the job has none."""
        return await self._send(calls.bundle(job_id))

    async def report(self, job_id: str) -> dict[str, Any]:
        """Quality, sizes and work of a job that has succeeded. Raises Conflict."""
        return await self._send(calls.report(job_id))

    async def source(self, job_id: str) -> bytes:
        """The picture that was sent, as PNG: upright, in sRGB, without metadata."""
        return await self._send(calls.source(job_id))

    async def picture(
        self, job_id: str, kind: PictureKind = "png", *, animate: bool = False, **view: Unpack[ViewOptions]
    ) -> bytes:
        """A job's picture, regrown from its bundle, as a file. animate: its growth instead; of `webp` only."""
        return await self._send(calls.picture(job_id, kind, view, animate=animate))

    async def decode(self, bundle: bytes, kind: PictureKind = "png", **view: Unpack[ViewOptions]) -> bytes:
        """The picture of a bundle that is sent along, as a file. The server keeps nothing of it."""
        return await self._send(calls.decode(bundle, kind, view))

    async def submit_group(self, images: Sequence[tuple[str, bytes]], **options: Unpack[EncodeOptions]) -> Group:
        """Send many image files, each with its name. The same files and options make one group, as with `submit`."""
        return await self._send(calls.submit_group(images, options))

    async def group(self, group_id: str) -> Group:
        """A group as it is now."""
        return await self._send(calls.group(group_id))

    async def wait_for_group(self, group_id: str) -> Group:
        """The group when all of its jobs have ended."""
        while not (group := await self.group(group_id)).ended:
            await asyncio.sleep(POLL_SECONDS)
        return group

    async def cancel_group(self, group_id: str) -> Group:
        """Stop the group's jobs that have not ended."""
        return await self._send(calls.cancel_group(group_id))

    async def delete_group(self, group_id: str) -> None:
        """Remove a group with all its jobs, their pictures and bundles."""
        await self._send(calls.delete_group(group_id))

    async def fetch(self, link: str) -> bytes:
        """What one of the links of a job, a group or an image leads to."""
        return await self._send(calls.fetch(self._session.path_of(link)))

    @contextlib.asynccontextmanager
    async def _open(self, call: Call[bytes]) -> AsyncIterator[httpx.Response]:
        """An answer to read bit by bit."""
        answer = await self._http.send(call.request(self._http), stream=True)
        async with contextlib.aclosing(answer):
            yield answer

    async def _send(self, call: Call[Result]) -> Result:
        """Asks again for as long as patience lasts where that may help."""
        attempts = self._session.attempts()
        while True:
            try:
                answer = await self._http.send(call.request(self._http))
                pause = attempts.pause_after_answer(answer)
                if pause is None:
                    return self._session.read(call, answer)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                pause = attempts.pause_after_failure(error)
            await asyncio.sleep(pause)
