"""From exceptions to HTTP: one table, and problem+json (RFC 9457) for everything that is not a success."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from regrow.api.asgi.prefix import below_prefix
from regrow.api.bodies.jobs import Problem
from regrow.core import errors

log = logging.getLogger("regrow.api")

RETRY_SECONDS = 2
CHALLENGES = ('Bearer realm="regrow"', 'Basic realm="regrow", charset="UTF-8"')
"""One `WWW-Authenticate` header each: some browsers do not find the second where both are in one header."""


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A type of problem (RFC 9457).

    status: of the answer. type: the last part of the path that is the problem's `type`, such as `job-not-found`. retry:
    whether the same request may work later; the answer then has `Retry-After`.
    """

    status: HTTPStatus
    type: str
    retry: bool = False

    @property
    def title(self) -> str:
        return self.type.replace("-", " ").capitalize()


TABLE: dict[type[errors.RegrowError], ProblemType] = {
    errors.NotAuthenticated: ProblemType(HTTPStatus.UNAUTHORIZED, "unauthorized"),
    errors.Forbidden: ProblemType(HTTPStatus.FORBIDDEN, "forbidden"),
    errors.UnsupportedImage: ProblemType(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-image"),
    errors.ImageTooLarge: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "image-too-large"),
    errors.DamagedImage: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "damaged-image"),
    errors.InvalidSettings: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-option"),
    errors.BudgetTooSmall: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "budget-too-small"),
    errors.NotABundle: ProblemType(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-a-bundle"),
    errors.UnsupportedBundle: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "unsupported-bundle"),
    errors.DamagedBundle: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "damaged-bundle"),
    errors.JobNotFound: ProblemType(HTTPStatus.NOT_FOUND, "job-not-found"),
    errors.GroupNotFound: ProblemType(HTTPStatus.NOT_FOUND, "group-not-found"),
    errors.BlobNotFound: ProblemType(HTTPStatus.NOT_FOUND, "job-not-found"),
    errors.DeliveryNotFound: ProblemType(HTTPStatus.NOT_FOUND, "delivery-not-found"),
    errors.JobNotFinished: ProblemType(HTTPStatus.CONFLICT, "job-not-finished", retry=True),
    errors.JobFailed: ProblemType(HTTPStatus.GONE, "job-failed"),
    errors.JobEnded: ProblemType(HTTPStatus.CONFLICT, "job-ended"),
    errors.JobNotRetryable: ProblemType(HTTPStatus.CONFLICT, "job-not-retryable"),
    errors.IdempotencyConflict: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency-key-reused"),
    errors.IdempotencyInFlight: ProblemType(HTTPStatus.CONFLICT, "idempotency-key-in-flight", retry=True),
    errors.TooBusy: ProblemType(HTTPStatus.TOO_MANY_REQUESTS, "too-many-patches", retry=True),
    errors.TooManyRequests: ProblemType(HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", retry=True),
    errors.VersionSkew: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "version-skew"),
    errors.UnfitStore: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "unfit-store"),
    errors.StorageFull: ProblemType(HTTPStatus.INSUFFICIENT_STORAGE, "storage-full"),
    errors.ServiceUnavailable: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "service-unavailable", retry=True),
}
"""What a caller can cause or must be told of. Any other error is a bug, and answers 500 without details."""

TOO_LARGE = ProblemType(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "content-too-large")
NOTHING_ACCEPTED = ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "no-image-accepted")
TIMEOUT = ProblemType(HTTPStatus.REQUEST_TIMEOUT, "request-timeout")
HEADERS_TOO_LARGE = ProblemType(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers-too-large")
TOO_MANY_CONNECTIONS = ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "too-many-connections", retry=True)
BUG = ProblemType(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error")

OTHER_KINDS = (
    (TOO_LARGE, "The body has more bytes than are accepted."),
    (NOTHING_ACCEPTED, "None of a group's files is an image that can be encoded; `errors` says why, file by file."),
    (TIMEOUT, "The request did not arrive whole in time."),
    (HEADERS_TOO_LARGE, "The request has too many bytes beside its body."),
    (TOO_MANY_CONNECTIONS, "Too many connections are open at a time."),
    (BUG, "A bug: the server's log says what happened."),
)
"""Problems that no error class stands for, with a sentence for people."""

FRAMEWORK_TYPES = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    415: "unsupported-media-type",
    416: "no-such-range",
}


PROBLEM = "regrow.problem"
"""The key of the ASGI scope under which the type of the problem that answered a request is kept, for the metrics."""


class ProblemResponse(JSONResponse):
    """An answer of problem+json, which puts its type into the request's scope for the metrics."""

    media_type = "application/problem+json"

    def __init__(self, kind: ProblemType, body: Problem, headers: dict[str, str]) -> None:
        super().__init__(body.model_dump(), kind.status, headers)
        self._type = kind.type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[PROBLEM] = self._type
        await super().__call__(scope, receive, send)


def problem(kind: ProblemType, detail: str, headers: dict[str, str] | None = None, **more: object) -> JSONResponse:
    """An answer of problem+json. more: further fields of the body, such as `errors`."""
    body = Problem(
        type=below_prefix(f"/problems/{kind.type}"),
        title=kind.title,
        status=kind.status,
        detail=detail,
        **more,  # type: ignore[arg-type]
    )
    headers = dict(headers or {})
    if kind.retry:
        headers["Retry-After"] = str(RETRY_SECONDS)
    return ProblemResponse(kind, body, headers)


def kind_of(error: errors.RegrowError) -> ProblemType:
    """What an error is answered with: its class in TABLE, or the nearest base class that is there; BUG without one."""
    return next((TABLE[cls] for cls in type(error).__mro__ if cls in TABLE), BUG)


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of the application, and of the framework, a problem+json."""

    @app.exception_handler(errors.RegrowError)
    async def regrow_error(request: Request, error: errors.RegrowError) -> JSONResponse:
        kind = kind_of(error)
        if kind is BUG:
            return await unexpected(request, error)
        answer = problem(kind, str(error))
        if kind.status == HTTPStatus.UNAUTHORIZED:
            for challenge in CHALLENGES:
                answer.headers.append("WWW-Authenticate", challenge)
        return answer

    @app.exception_handler(RequestValidationError)
    async def validation_error(_: Request, error: RequestValidationError) -> JSONResponse:
        found = [
            {"field": ".".join(str(part) for part in item["loc"][1:]) or "body", "message": item["msg"]}
            for item in error.errors()
        ]
        detail = "; ".join(f"{item['field']}: {item['message']}" for item in found)
        return problem(ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-option"), detail, errors=found)

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=HTTPStatus.BAD_REQUEST)  # which nobody will get

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        known = TOO_LARGE.type if status == TOO_LARGE.status else "http-error"
        kind = ProblemType(status, FRAMEWORK_TYPES.get(status, known))
        return problem(kind, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> JSONResponse:
        log.error("unexpected error", exc_info=error)
        return problem(BUG, "something went wrong on the server; its log says what")
