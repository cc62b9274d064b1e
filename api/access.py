"""Who asks: the API key of a request, or, of a service without keys, whoever can reach it.

A key comes as `Authorization: Bearer <key>`, or as the password of Basic authentication, which is what browsers ask
for when somebody opens the dashboard.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from typing import Annotated

from fastapi import Depends, Path, Request
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool

from api.dependencies import Service, ServiceDependency
from core.access.principal import Principal
from core.errors import Forbidden, JobNotFound, NotAuthenticated
from core.jobs.model import is_job_id

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# Only so that the OpenAPI document says it: the header is read below, as there are two schemes.
documented = HTTPBearer(auto_error=False, description="An API key, made by `regrow keys create`")


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to the address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


async def caller(request: Request, service: ServiceDependency, _: Annotated[object, Depends(documented)]) -> Principal:
    """Raises NotAuthenticated, with one answer for keys that are missing, unknown, revoked or expired; Forbidden."""
    ring = service.keys
    if ring.is_stale:
        await run_in_threadpool(ring.refresh)
    principal = ring.find(_shown_key(request))
    if principal is None:
        raise NotAuthenticated("an API key that is in force is needed: Authorization: Bearer <key>")
    _refuse_other_sites(request, service, principal)
    request.state.principal = principal
    return principal


async def admin(principal: Annotated[Principal, Depends(caller)]) -> Principal:
    """Raises Forbidden."""
    if not principal.sees_all:
        raise Forbidden("this needs a key of the role admin")
    return principal


def _shown_key(request: Request) -> str | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            try:
                return base64.b64decode(value, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return None
    return None


def _refuse_other_sites(request: Request, service: Service, principal: Principal) -> None:
    """Browsers send Basic credentials, and reach this machine, for any page: another site's may not change anything.

    Without keys, the name that the browser was told must be this machine's, or a name that is made to point here
    (DNS rebinding) would do.
    """
    site = request.headers.get("sec-fetch-site", "none")
    if request.method not in SAFE_METHODS and site not in ("none", "same-origin") and not _may_cross(request, service):
        raise Forbidden("a page of another site may not do this")
    if principal.key_id is None and not service.settings.behind_private_network:
        name = request.url.hostname or ""
        if not is_loopback(name):
            raise Forbidden(f"this service has no keys, and answers only to names such as localhost, not {name[:100]}")


def _may_cross(request: Request, service: Service) -> bool:
    return request.headers.get("origin", "") in service.settings.cors_origins


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
