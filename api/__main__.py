"""`python -m api`: the API process."""

from __future__ import annotations

import sys

import uvicorn

from api.access import is_loopback
from api.app import create_app
from api.settings import ApiSettings
from core.access.keys import KeyStore
from core.errors import ServiceUnavailable
from core.jobs.blobs import make_blob_store

GRACE_SECONDS = 5


def why_not(settings: ApiSettings) -> str | None:
    """Why the service must not listen on its address: without keys, only this machine may reach it."""
    if is_loopback(settings.host) or settings.behind_private_network:
        return None
    try:
        if KeyStore(make_blob_store(settings)).ids()[1]:
            return None
    except ServiceUnavailable as error:
        return f"{settings.host} can be reached from other machines, and whether there are keys is not known: {error}"
    return (
        f"{settings.host} can be reached from other machines, and this service has no keys: make one with "
        "`regrow keys create`, bind to 127.0.0.1, or set REGROW_BEHIND_PRIVATE_NETWORK=1 where something in front "
        "keeps strangers out"
    )


def main() -> int:
    settings = ApiSettings()
    refusal = why_not(settings)
    if refusal:
        print(f"regrow: {refusal}", file=sys.stderr)
        return 1
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        log_level="warning",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
