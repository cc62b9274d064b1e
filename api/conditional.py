"""Conditional requests and ranges (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus

from fastapi import HTTPException, Request, Response

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_TAG = re.compile(r'(?:W/)?("[^"]*")')


def is_known(request: Request, etag: str) -> bool:
    """Whether If-None-Match says that the client has this."""
    header = request.headers.get("if-none-match", "")
    return header.strip() == "*" or etag in _TAG.findall(header)


def answer(request: Request, etag: str, media_type: str, make: Callable[[], bytes], **headers: str) -> Response:
    """304 if the client has it, otherwise the whole of it. Clients must ask each time: a job may be deleted."""
    headers |= {"ETag": etag, "Cache-Control": "private, no-cache"}
    if is_known(request, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(make(), media_type=media_type, headers=headers)


def answer_ranges(request: Request, etag: str, media_type: str, data: bytes, **headers: str) -> Response:
    """As `answer`, and one range of bytes where one is asked for; several, which may overlap endlessly, get the whole.

    Raises HTTPException 416 where the range is beyond the end.
    """
    headers["Accept-Ranges"] = "bytes"
    part = None if is_known(request, etag) else _range(request, etag, len(data))
    if part is None:
        return answer(request, etag, media_type, lambda: data, **headers)
    if not part:
        unsatisfied = {"Content-Range": f"bytes */{len(data)}"}
        raise HTTPException(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, f"the range is beyond the {len(data)} bytes", unsatisfied
        )
    response = answer(request, etag, media_type, lambda: data[part.start : part.stop], **headers)
    response.status_code = HTTPStatus.PARTIAL_CONTENT
    response.headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{len(data)}"
    return response


def _range(request: Request, etag: str, size: int) -> range | None:
    """What Range asks for of so many bytes, perhaps nothing; None where it asks for no single range."""
    match = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if match is None or request.headers.get("if-range", etag) != etag:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        return range(max(0, size - int(last)), size)
    stop = min(int(last) + 1, size) if last else size
    return None if last and int(last) < int(first) else range(int(first), stop)
