"""Names that the service answers to: a page that has its own name point here reaches nothing (DNS rebinding)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from regrow.api.loopback import is_loopback

ANY = "*"
_NAME = r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+|\[[0-9a-f:.]{2,45}\]"
_HOST = re.compile(rf"({_NAME})\.?(?::[0-9]{{1,5}})?", re.IGNORECASE)


def host_name(text: str) -> str:
    """A host's name or address as settings have it: in small letters, IPv6 without brackets. Raises ValueError."""
    name = f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text
    if text != ANY and not re.fullmatch(_NAME, name, re.IGNORECASE):
        raise ValueError(f"{text!r} is no host name: give names or addresses, without scheme and port, or *")
    return text.lower().strip("[]")


def is_answered(hosts: Sequence[str], allowed: Sequence[str], bound: str, local: str | None) -> bool:
    """Whether to answer a request with these `Host` headers.

    allowed: names beside this machine's own, as host_name gives them. bound: what the service was told to listen on;
    local: the address at which this connection has arrived.
    """
    if ANY in allowed:
        return True
    match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if match is None:
        return False
    name = match.group(1).lower().strip("[]")
    return is_loopback(name) or name in allowed or name in (bound.lower(), local)
