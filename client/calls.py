"""The requests of the HTTP API, one function each: how they are written, and how their answers are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import httpx
from pydantic import BaseModel

from regrow.client.models import Group, Job, JobPage
from regrow.client.options import EncodeOptions, PictureKind, ViewOptions

Result = TypeVar("Result")
_Model = TypeVar("_Model", bound=BaseModel)

SECONDS = 60.0
"""That the server may be silent."""

GROUP_SECONDS = 900.0
"""How long a group may take to be answered: each of its images is looked at first."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """A request. path: below the server's address. read: makes the result of the answer's body; raises ValueError.
    params: of the query. timeout: seconds that the server may be silent."""

    method: str
    path: str
    read: Callable[[bytes], Result]
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    files: Sequence[tuple[str, tuple[str, bytes]]] = ()
    timeout: float = SECONDS

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """For either client of httpx. Raises httpx.InvalidURL."""
        return http.build_request(
            self.method,
            self.path,
            params=self.params,
            headers=self.headers,
            content=self.content,
            files=self.files or None,
            timeout=self.timeout,
        )


def submit(image: bytes, options: EncodeOptions) -> Call[Job]:
    """POST /encode. Its Idempotency-Key is made of the image and the options: sent again, it makes no second job."""
    key = hashlib.sha256(_canonical(options) + b"\n" + image).hexdigest()
    headers = {"Idempotency-Key": key}
    return Call("POST", "/encode", _model(Job), params=options, headers=headers, content=image)


def submit_group(images: Sequence[tuple[str, bytes]], options: EncodeOptions) -> Call[Group]:
    """POST /groups, with an Idempotency-Key of names, images and options. images: (name, file's bytes) each."""
    digest = hashlib.sha256(_canonical(options))
    for name, data in images:
        digest.update(json.dumps([name, len(data)]).encode() + data)
    headers = {"Idempotency-Key": digest.hexdigest()}
    files = [("images", (name, data)) for name, data in images]
    return Call("POST", "/groups", _model(Group), options, headers, files=files, timeout=GROUP_SECONDS)


def job(job_id: str) -> Call[Job]:
    """GET /jobs/<id>."""
    return Call("GET", f"/jobs/{job_id}", _model(Job))


def jobs(states: Sequence[str], limit: int, cursor: str | None) -> Call[JobPage]:
    """GET /jobs: a page of them, newest first. states: only jobs in one of these; empty for all."""
    params: dict[str, Any] = {"limit": limit, "state": list(states)}
    return Call("GET", "/jobs", _model(JobPage), params if cursor is None else params | {"cursor": cursor})


def events(job_id: str, last_id: str | None = None) -> Call[bytes]:
    """last_id: of the last event that was seen. The answer is a stream."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    return Call("GET", f"/jobs/{job_id}/events", bytes, headers=headers)


def cancel(job_id: str) -> Call[Job]:
    """POST /jobs/<id>/cancel."""
    return Call("POST", f"/jobs/{job_id}/cancel", _model(Job))


def retry(job_id: str) -> Call[Job]:
    """POST /jobs/<id>/retry."""
    return Call("POST", f"/jobs/{job_id}/retry", _model(Job))


def delete(job_id: str) -> Call[None]:
    """DELETE /jobs/<id>."""
    return Call("DELETE", f"/jobs/{job_id}", _nothing)


def bundle(job_id: str) -> Call[bytes]:
    """GET /jobs/<id>/bundle: the file `.gnca`."""
    return fetch(f"/jobs/{job_id}/bundle")


def report(job_id: str) -> Call[dict[str, Any]]:
    """GET /jobs/<id>/report."""
    return Call("GET", f"/jobs/{job_id}/report", _mapping)


def source(job_id: str) -> Call[bytes]:
    """GET /jobs/<id>/source.png: the image that was sent, as it was read."""
    return fetch(f"/jobs/{job_id}/source.png")


def picture(job_id: str, kind: PictureKind, view: ViewOptions, *, animate: bool) -> Call[bytes]:
    """GET /decode/<id>.<kind>: the regrown picture, or its growth with `animate`."""
    params = _view(view) | ({"animate": "true"} if animate else {})
    return Call("GET", f"/decode/{job_id}.{kind}", bytes, params)


def decode(bundle: bytes, kind: PictureKind, view: ViewOptions) -> Call[bytes]:
    """POST /decode: the picture of a bundle that is sent along."""
    return Call("POST", "/decode", bytes, _view(view) | {"kind": kind}, content=bundle)


def group(group_id: str) -> Call[Group]:
    """GET /groups/<id>."""
    return Call("GET", f"/groups/{group_id}", _model(Group))


def cancel_group(group_id: str) -> Call[Group]:
    """POST /groups/<id>/cancel."""
    return Call("POST", f"/groups/{group_id}/cancel", _model(Group))


def delete_group(group_id: str) -> Call[None]:
    """DELETE /groups/<id>."""
    return Call("DELETE", f"/groups/{group_id}", _nothing)


def fetch(path: str) -> Call[bytes]:
    """GET of any path of the server: the body as it is."""
    return Call("GET", path, bytes)


def _canonical(options: EncodeOptions) -> bytes:
    return json.dumps(dict(options), sort_keys=True).encode()


def _view(view: ViewOptions) -> dict[str, Any]:
    crop = view.get("crop")
    return {**view, "crop": ",".join(map(str, crop))} if crop is not None else dict(view)


def _model(kind: type[_Model]) -> Callable[[bytes], _Model]:
    return kind.model_validate_json


def _mapping(body: bytes) -> dict[str, Any]:
    value = json.loads(body)
    if not isinstance(value, dict):
        raise ValueError("this is no JSON object")
    return value


def _nothing(_: bytes) -> None:
    return None
