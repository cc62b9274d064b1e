"""The Python client of the HTTP API. It needs httpx and pydantic, and nothing of the service.

    with Client("http://127.0.0.1:8000") as client:
        job = client.wait(client.submit(photo, effort="draft").id)
        bundle = client.bundle(job.id)

`AsyncClient` has the same methods, to be awaited. Everything that goes wrong is a `ClientError`.
"""

from regrow.client.async_client import AsyncClient
from regrow.client.client import Client
from regrow.client.errors import (
    Busy,
    ClientError,
    Conflict,
    InvalidClientSettings,
    InvalidRequest,
    NotAllowed,
    NotFound,
    Refused,
    ServerFailure,
    UnexpectedAnswer,
    Unreachable,
)
from regrow.client.models import (
    FINAL_STATES,
    Failure,
    FieldProblem,
    Group,
    GroupImage,
    Job,
    JobEvent,
    JobPage,
)
from regrow.client.options import EncodeOptions, PictureKind, ViewOptions

__all__ = [
    "FINAL_STATES",
    "AsyncClient",
    "Busy",
    "Client",
    "ClientError",
    "Conflict",
    "EncodeOptions",
    "Failure",
    "FieldProblem",
    "Group",
    "GroupImage",
    "InvalidClientSettings",
    "InvalidRequest",
    "Job",
    "JobEvent",
    "JobPage",
    "NotAllowed",
    "NotFound",
    "PictureKind",
    "Refused",
    "ServerFailure",
    "UnexpectedAnswer",
    "Unreachable",
    "ViewOptions",
]
