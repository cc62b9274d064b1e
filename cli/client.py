"""A small client of the HTTP API: send, follow, fetch. Waits out what passes: a busy or restarting server."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from regrow.cli.console import complain
from regrow.core.errors import InvalidSettings, RegrowError

PATIENCE_SECONDS = 300.0
"""How long a server may be busy or away before the client gives up."""

LONGEST_PAUSE = 30.0
POLL_SECONDS = 0.5

FIRST_SECONDS = 10.0
"""How long a server is waited for that has never answered."""
GROUP_SECONDS = 900.0
"""How long a group may take to be answered: each of its images is looked at first."""

ENVIRONMENT = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir")
"""What httpx obeys, in lower case."""

ENDED = ("succeeded", "failed", "cancelled")


_Body = TypeVar("_Body", bound=BaseModel)


class ServerError(RegrowError):
    """The server refused, or cannot be reached. problem: what it said, as RFC 9457 has it; empty where it did not."""

    def __init__(self, message: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.problem = problem or {}


class RemoteJob(BaseModel):
    """A job as the server tells it (api.bodies.jobs.JobBody); unknown fields are left aside."""

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
        return self.state in ENDED


class RemoteItem(BaseModel):
    """An image of a group (api.bodies.groups.GroupItem)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    job: str | None
    state: str | None
    progress: float | None
    psnr: float | None
    bytes: int | None
    error: dict[str, str] | None
    bundle: str | None

    @property
    def has_ended(self) -> bool:
        return self.job is None or self.state in ENDED


class RemoteGroup(BaseModel):
    """A group as the server tells it (api.bodies.groups.GroupBody)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    ended: bool
    progress: float
    items: tuple[RemoteItem, ...]


class Client:
    """Use as a context manager. Every method raises ServerError."""

    def __init__(self, server: str, key: str | None = None, patience: float = PATIENCE_SECONDS) -> None:
        if key is not None and not (key.isascii() and key.isprintable()):
            raise ServerError("the key has characters that no key has: a line's end, perhaps")
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._http = _connect(server.rstrip("/"), headers)
        self._patience, self._reached = patience, False

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def encode(self, data: bytes, options: Mapping[str, str | int | float]) -> RemoteJob:
        """Send an image file. The same file and options make one job, however often they are sent within a day."""
        asked = json.dumps(dict(options), sort_keys=True).encode()
        key = hashlib.sha256(asked + b"\n" + data).hexdigest()
        answer = self._ask("POST", "/encode", content=data, params=dict(options), headers={"Idempotency-Key": key})
        return self._read(RemoteJob, answer)

    def make_group(self, files: Sequence[tuple[str, bytes]], options: Mapping[str, str | int | float]) -> RemoteGroup:
        """Send many image files, each with its name. The same files and options make one group, as with `encode`."""
        digest = hashlib.sha256(json.dumps(dict(options), sort_keys=True).encode())
        for name, data in files:
            digest.update(json.dumps([name, len(data)]).encode() + data)
        parts = [("images", (name, data)) for name, data in files]
        headers = {"Idempotency-Key": digest.hexdigest()}
        answer = self._ask("POST", "/groups", files=parts, params=dict(options), headers=headers, timeout=GROUP_SECONDS)
        return self._read(RemoteGroup, answer)

    def group(self, group_id: str) -> RemoteGroup:
        return self._read(RemoteGroup, self._ask("GET", f"/groups/{group_id}"))

    def job(self, job_id: str) -> RemoteJob:
        return self._read(RemoteJob, self._ask("GET", f"/jobs/{job_id}"))

    def wait(self, job_id: str) -> RemoteJob:
        """The job when it has ended: follows its events, and comes again when the connection breaks."""
        job = self.job(job_id)
        while not job.has_ended:
            with contextlib.suppress(httpx.HTTPError), self._http.stream("GET", f"/jobs/{job_id}/events") as answer:
                for _ in answer.iter_lines():
                    continue
            job = self.job(job_id)
            if not job.has_ended:  # the connection broke, or too many follow jobs
                time.sleep(POLL_SECONDS)
        return job

    def retry(self, job_id: str) -> RemoteJob:
        """Queue again what failed or was cancelled."""
        return self._read(RemoteJob, self._ask("POST", f"/jobs/{job_id}/retry"))

    def fetch(self, path: str) -> bytes:
        """What one of a job's links leads to. Links have the server's prefix, where it has one; paths need not."""
        return self._ask("GET", path.removeprefix(self._http.base_url.path.rstrip("/"))).content

    def _read(self, kind: type[_Body], answer: httpx.Response) -> _Body:
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError as error:
            raise ServerError(f"what answers at {self._http.base_url} is no Regrow of this release") from error

    def _ask(self, method: str, path: str, **request: object) -> httpx.Response:
        """An answer that is no error; asks again for as long as patience lasts where that may help."""
        began, pause = time.monotonic(), 0.5
        deadline = began + self._patience
        while True:
            try:
                answer = self._http.request(method, path, **request)  # type: ignore[arg-type]
                self._reached = True
                if not answer.is_error:
                    return answer
                problem = _problem(answer)
                again, reason = "retry-after" in answer.headers, str(problem["detail"])
                pause = _seconds(answer.headers.get("retry-after"), pause)
            except httpx.InvalidURL as error:
                raise ServerError(f"{self._http.base_url} is no address: {error}") from error
            except httpx.HTTPError as error:
                problem = {}
                again = not isinstance(error, (httpx.LocalProtocolError, httpx.UnsupportedProtocol))
                if not self._reached:  # more likely a wrong address than a server that is about to come back
                    deadline = min(deadline, began + FIRST_SECONDS)
                reason = f"{self._http.base_url} cannot be reached: {error or type(error).__name__}"
            if not again or time.monotonic() + pause > deadline:
                raise ServerError(reason, problem)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def _connect(server: str, headers: Mapping[str, str]) -> httpx.Client:
    """A client that obeys the environment's proxies, but not on the way to this very machine."""
    try:
        url = httpx.URL(server)
    except httpx.InvalidURL as error:
        raise ServerError(f"{server} is no address: {error}") from error
    local = is_loopback(url.host)
    if not local:
        _leave_out_unusable_exceptions()
    try:
        return httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=not local)
    except (httpx.InvalidURL, ValueError, ImportError, OSError) as error:  # what httpx raises for what it read there
        named = ", ".join(name for name in sorted(os.environ) if name.lower() in ENVIRONMENT and os.environ[name])
        raise InvalidSettings(f"{named}: one of these settings of the environment cannot be used: {error}") from error


def _leave_out_unusable_exceptions() -> None:
    """What NO_PROXY lists and httpx takes for no address, networks in IPv6 among it: httpx would not start at all."""
    for name in ("no_proxy", "NO_PROXY"):
        entries = os.environ.get(name, "").split(",")
        unusable = [entry for entry in entries if not _is_usable_exception(entry.strip())]
        if unusable:
            complain(f"{name}: left out, as no address that can be used: {', '.join(unusable)}")
            os.environ[name] = ",".join(entry for entry in entries if entry not in unusable)


def _is_usable_exception(entry: str) -> bool:
    """Whether httpx makes an address of it, in the way that it does."""
    try:
        ipaddress.IPv6Address(entry.partition("/")[0])
        entry = f"[{entry}]"
    except ValueError:
        entry = f"*{entry}"
    try:
        httpx.URL(entry[1:] if "://" in entry else f"all://{entry}")
    except httpx.InvalidURL:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.endswith(".localhost")


def _seconds(text: str | None, default: float) -> float:
    """Of a `Retry-After`; proxies may send dates, which are not worth reading."""
    return float(text) if text is not None and text.isdecimal() else default


def _problem(answer: httpx.Response) -> dict[str, Any]:
    """What the server says went wrong; where it does not, what the status says."""
    status = {"detail": f"the server answered {answer.status_code} {answer.reason_phrase}"}
    try:
        return status | answer.json()
    except (ValueError, TypeError):
        return status
