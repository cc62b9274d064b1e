"""`python -m regrow.api`: the API process."""

from __future__ import annotations

import logging
import sys
from functools import partial
from typing import cast

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from regrow.api.app import create_app
from regrow.api.asgi.prefix import ProxyHeaders
from regrow.api.connections.floods import hold_back_floods
from regrow.api.connections.open_files import may_open, plan
from regrow.api.connections.protocol import Protocol
from regrow.api.connections.slow_clients import Patience
from regrow.api.loopback import is_loopback
from regrow.api.settings import ApiSettings
from regrow.core.access.keys import KeyStore
from regrow.core.errors import ServiceUnavailable, told_in_one_line
from regrow.core.logs import configure_logging
from regrow.core.settings import warn_of_unknown_settings
from regrow.core.stopping import heeded
from regrow.core.stores import make_blob_store

log = logging.getLogger("regrow.api")

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
    configure_logging(settings.log_format, settings.log_level)
    warn_of_unknown_settings()
    logging.getLogger("regrow.access").disabled = not settings.access_log
    hold_back_floods()
    refusal = why_not(settings)
    if refusal:
        print(f"regrow: {refusal}", file=sys.stderr)
        return 1
    serve(create_app(settings), settings)
    return 0


def serve(app: FastAPI, settings: ApiSettings) -> None:
    """Answer until the process is asked to stop."""
    files = may_open(settings.max_connections)
    room = plan(settings.max_connections, files)
    if room.connections < settings.max_connections:
        log.warning(
            "REGROW_MAX_CONNECTIONS is %d instead of %d: the process may have %d files open (ulimit -n)",
            room.connections,
            settings.max_connections,
            files,
        )
    patience = Patience(
        headers=settings.header_timeout.total_seconds(),
        body=settings.body_timeout.total_seconds(),
        stall=settings.stall_timeout.total_seconds(),
    )
    uvicorn.server.HANDLED_SIGNALS = heeded(uvicorn.server.HANDLED_SIGNALS)  # type: ignore[assignment]  # which it would take even if ignored
    uvicorn.run(
        ProxyHeaders(app, list(settings.trusted_proxies)),  # type: ignore[arg-type]
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
        proxy_headers=False,  # see above
        log_config=None,
        access_log=False,
        http=cast("type[HttpToolsProtocol]", partial(Protocol, patience)),
        ws="none",
        backlog=room.backlog,
        limit_concurrency=room.connections + 1,  # uvicorn refuses at its limit, not beyond
    )


if __name__ == "__main__":
    with told_in_one_line():
        sys.exit(main())
