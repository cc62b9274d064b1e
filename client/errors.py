"""Everything that can go wrong for a caller of the client."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

import httpx

from regrow.client.models import FieldProblem, Problem


class ClientError(Exception):
    """Base of all errors of the client."""


class InvalidClientSettings(ClientError):
    """The server's address, the API key, or a proxy setting of the environment cannot be used."""


class Unreachable(ClientError):
    """Nothing answers at the server's address, or the connection breaks, for as long as the client has patience."""


class UnexpectedAnswer(ClientError):
    """What answers is no Regrow server, or one of a release that this client does not understand."""


class Refused(ClientError):
    """The server answered with an error (RFC 9457).

    status: of the answer. type: the last part of the problem's type, such as `damaged-image`, which is stable; empty
    where the answer came from something else, such as a proxy. detail: one sentence. errors: what is wrong with which
    option or file.
    """

    def __init__(self, status: int, type: str, detail: str, errors: Sequence[FieldProblem] = ()) -> None:
        super().__init__(detail)
        self.status, self.type, self.detail, self.errors = status, type, detail, tuple(errors)


class NotAllowed(Refused):
    """401, 403: the API key is missing, not in force, or does not allow this."""


class NotFound(Refused):
    """404: there is no such job, group or address; those of other owners look the same."""


class Conflict(Refused):
    """409, 410: the job's state does not allow this: it has ended, or has no picture (yet)."""


class InvalidRequest(Refused):
    """Any other 4xx: the image, the bundle or an option is not accepted."""


class Busy(Refused):
    """429, 503: too much is outstanding, or part of the service is away, for as long as the client has patience."""


class ServerFailure(Refused):
    """Any other 5xx: a bug of the server, or no room left."""


_BY_STATUS: dict[int, type[Refused]] = {
    HTTPStatus.UNAUTHORIZED: NotAllowed,
    HTTPStatus.FORBIDDEN: NotAllowed,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.GONE: Conflict,
    HTTPStatus.TOO_MANY_REQUESTS: Busy,
    HTTPStatus.SERVICE_UNAVAILABLE: Busy,
}


def refused(answer: httpx.Response) -> Refused:
    """The error that an answer of status 4xx or 5xx, which has been read, stands for."""
    kind = _BY_STATUS.get(answer.status_code, ServerFailure if answer.is_server_error else InvalidRequest)
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValueError:
        problem = Problem()
    detail = problem.detail or f"the server answered {answer.status_code} {answer.reason_phrase}"
    return kind(answer.status_code, problem.type.rpartition("/")[2], detail, problem.errors)
