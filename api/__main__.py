"""`python -m api`: the API process."""

from __future__ import annotations

import ipaddress
import sys
from functools import partial
from typing import cast

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.app import create_app
from api.settings import ApiSettings
from api.slow_clients import BoundedProtocol, Patience

GRACE_SECONDS = 5


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def main() -> int:
    settings = ApiSettings()
    if not (is_loopback(settings.host) or settings.behind_private_network):
        print(
            f"regrow: {settings.host} can be reached from other machines, and this service has no keys yet: "
            "bind to 127.0.0.1, or set REGROW_BEHIND_PRIVATE_NETWORK=1 where something in front keeps strangers out",
            file=sys.stderr,
        )
        return 1
    serve(create_app(settings), settings)
    return 0


def serve(app: FastAPI, settings: ApiSettings) -> None:
    """Answer until the process is asked to stop."""
    patience = Patience(
        headers=settings.header_timeout.total_seconds(),
        body=settings.body_timeout.total_seconds(),
        stall=settings.stall_timeout.total_seconds(),
    )
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
        log_level="warning",
        http=cast("type[HttpToolsProtocol]", partial(BoundedProtocol, patience)),
        ws="none",
        limit_concurrency=settings.max_connections + 1,  # uvicorn refuses at its limit, not beyond
    )


if __name__ == "__main__":
    sys.exit(main())
