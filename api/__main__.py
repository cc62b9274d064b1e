"""`python -m api`: the API process."""

from __future__ import annotations

import ipaddress
import sys

import uvicorn

from api.app import create_app
from api.settings import ApiSettings

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
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
        log_level="warning",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
