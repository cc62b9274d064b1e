"""A small client of the HTTP API: send, follow, fetch. Waits out what passes: a busy or restarting server."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping

import httpx
from pydantic import BaseModel, ConfigDict

from core.errors import RegrowError

PATIENCE_SECONDS = 300.0
"""How long a server may be busy or away before the client gives up."""

LONGEST_PAUSE = 30.0


class ServerError(RegrowError):
    """The server refused, or cannot be reached."""


class RemoteJob(BaseModel):
    """A job as the server tells it (api.schemas.JobBody); unknown fields are left aside."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    state: str
    progress: float
    psnr: float | None
    bytes: int | None
    error: dict[str, str] | None
    links: dict[str, str]

    @property
    def has_ended(self) -> bool:
        return self.state in ("succeeded", "failed", "cancelled")


class Client:
    """Use as a context manager. Every method raises ServerError."""

    def __init__(self, server: str, key: str | None = None, patience: float = PATIENCE_SECONDS) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=server.rstrip("/"), headers=headers, timeout=60)
        self._patience = patience

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def encode(self, data: bytes, options: Mapping[str, str | int | float]) -> RemoteJob:
        """Send an image file. The same file and options make one job, however often they are sent within a day."""
        asked = json.dumps(dict(options), sort_keys=True).encode()
        key = hashlib.sha256(asked + b"\n" + data).hexdigest()
        answer = self._ask("POST", "/encode", content=data, params=dict(options), headers={"Idempotency-Key": key})
        return RemoteJob.model_validate_json(answer.content)

    def job(self, job_id: str) -> RemoteJob:
        return RemoteJob.model_validate_json(self._ask("GET", f"/jobs/{job_id}").content)

    def retry(self, job_id: str) -> RemoteJob:
        """Queue again what failed or was cancelled."""
        return RemoteJob.model_validate_json(self._ask("POST", f"/jobs/{job_id}/retry").content)

    def fetch(self, path: str) -> bytes:
        """What one of a job's links leads to."""
        return self._ask("GET", path).content

    def _ask(self, method: str, path: str, **request: object) -> httpx.Response:
        """An answer that is no error; asks again for as long as patience lasts where that may help."""
        deadline, pause = time.monotonic() + self._patience, 0.5
        while True:
            try:
                answer = self._http.request(method, path, **request)  # type: ignore[arg-type]
                if not answer.is_error:
                    return answer
                again, reason = "retry-after" in answer.headers, _reason(answer)
                pause = float(answer.headers.get("retry-after", pause))
            except httpx.InvalidURL as error:
                raise ServerError(f"{self._http.base_url} is no address: {error}") from error
            except httpx.HTTPError as error:
                again, reason = True, f"{self._http.base_url} cannot be reached: {error or type(error).__name__}"
            if not again or time.monotonic() + pause > deadline:
                raise ServerError(reason)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def _reason(answer: httpx.Response) -> str:
    """The problem's own words, or what the status says."""
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {answer.status_code} {answer.reason_phrase}"
