"""Who asks: the API key of a request, or, of a service without keys, whoever can reach it.

A key comes as `Authorization: Bearer <key>`, or as the password of Basic authentication, which is what browsers ask
for when somebody opens the dashboard.
"""

from __future__ import annotations

import base64
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Path, Request
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool

from regrow.api.asgi.hosts import is_answered
from regrow.api.dependencies import Service, ServiceDependency
from regrow.core.access.key_cache import ANYBODY
from regrow.core.access.principal import Principal
from regrow.core.errors import Forbidden, JobNotFound, NotAuthenticated
from regrow.core.jobs.model import is_job_id

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# Only so that the OpenAPI document says it: the header is read below, as there are two schemes.
documented = HTTPBearer(auto_error=False, description="An API key, made by `regrow keys create`")


async def caller(request: Request, service: ServiceDependency, _: Annotated[object, Depends(documented)]) -> Principal:
    """The principal of the request's key.

    Raises NotAuthenticated, the same whether the key is missing, unknown, revoked or expired; Forbidden where a browser
    sends the request on behalf of another site.
    """
    ring = service.keys
    if ring.is_old:
        await run_in_threadpool(ring.refresh)
    principal = who(request, service)
    if principal is None:
        raise NotAuthenticated("an API key that is in force is needed: Authorization: Bearer <key>")
    scheme, _ = _shown(request)
    if principal is ANYBODY or scheme != "bearer":
        _refuse_other_names(request, service)
    if scheme != "bearer":
        _refuse_other_sites(request, service)
    request.state.principal = principal
    return principal


def who(request: Request, service: Service) -> Principal | None:
    """The principal of the request's key, None where it is no longer in force. Long streams ask this repeatedly."""
    service.keys.refresh_soon()
    return service.keys.find(_shown(request)[1])


async def admin(principal: Annotated[Principal, Depends(caller)]) -> Principal:
    """The caller, who must have the role admin. Raises Forbidden."""
    if not principal.sees_all:
        raise Forbidden("this needs a key of the role admin")
    return principal


def _shown(request: Request) -> tuple[str, str | None]:
    """The `Authorization` header's scheme, `basic`, `bearer` or empty for any other, and the key in it."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return "bearer", value.strip()
        case "basic":
            try:
                return "basic", base64.b64decode(value, validate=True).decode().partition(":")[2]
            except ValueError:  # not base64, not ASCII, not UTF-8
                return "basic", None
    return "", None


def _refuse_other_sites(request: Request, service: Service) -> None:
    """Browsers send Basic credentials, and reach this machine, for any page: another site's may not change anything.

    Older ones, and all on plain HTTP, say only where a page is from (`Origin`); newer ones how far that is.
    """
    if request.method in SAFE_METHODS:
        return
    allowed, origin = service.settings.cors_origins, request.headers.get("origin")
    if origin is not None and (origin in allowed or "*" in allowed):
        return
    same = origin is None or urlsplit(origin).netloc == request.headers.get("host", "")
    if not same or request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Forbidden("a page of another site may not do this")


def _refuse_other_names(request: Request, service: Service) -> None:
    """Where browsers get in by themselves, the name that they were told must be one of this service's: else any name
    that is made to point here would do."""
    settings, server = service.settings, request.scope.get("server")
    hosts = request.headers.getlist("host")
    if not is_answered(hosts, settings.allowed_hosts, settings.host, server[0] if server else None):
        raise Forbidden("this service does not answer to that name: use localhost, or have it in REGROW_ALLOWED_HOSTS")


async def _job_id(
    id: Annotated[str, Path(description="The job's id", examples=["0" * 32])],
    principal: Annotated[Principal, Depends(caller)],
    service: ServiceDependency,
) -> str:
    """Another owner's job is answered as an unknown one, and so is a string that cannot be an id."""
    if not is_job_id(id):
        raise JobNotFound(f"there is no job {id[:100]}")
    if not principal.sees_all and not principal.sees(await run_in_threadpool(service.jobs.owner, id)):
        raise JobNotFound(f"there is no job {id}")
    return id


Caller = Annotated[Principal, Depends(caller)]
JobId = Annotated[str, Depends(_job_id)]
