"""Which addresses a webhook may be sent to, and which URLs can be meant for one.

Whoever may name a URL makes this service send a request, from inside the network that it runs in. So only the public
internet is called, unless the settings allow more.
"""

from __future__ import annotations

import contextlib
import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from regrow.core.errors import InvalidSettings

Networks = tuple[IPv4Network | IPv6Network, ...]

_PUBLIC_6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
"""Its last 32 bits are the IPv4 address that is meant (RFC 6052)."""

_FORBIDDEN = tuple(
    map(
        ip_network,
        (
            # The IANA registries of special-purpose addresses (RFC 6890), and multicast. Written out, as what Python's
            # `is_global` knows of them differs from release to release.
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
            *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            # Within 2000::/3: protocol assignments with Teredo, documentation, 6to4, what was the 6bone.
            *("2001::/23", "2001:db8::/32", "2002::/16", "3ffe::/16", "3fff::/20"),
            "168.63.129.16/32",  # not registered, but every virtual machine of Azure has its own service there
        ),
    )
)

MOST_CHARACTERS = 2048
_PRINTABLE = re.compile(r"[!-~]+")
_AUTHORITY = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|(?=[^:]{1,253}(?::|$))[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?)"
    r"(?::(?P<port>[0-9]{0,5}))?"
)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in parts. host: a name, or an address without brackets. authority: host and port as they were written;
    path: with the query."""

    scheme: str
    host: str
    port: int
    authority: str
    path: str


def is_allowed(address: str, networks: Networks = ()) -> bool:
    """Whether a webhook may be sent to this numeric address. networks: allowed although they are not public."""
    ip = _meant(ip_address(address))
    if any(ip in network for network in networks):
        return True
    return not any(ip in network for network in _FORBIDDEN) and (ip.version == 4 or ip in _PUBLIC_6)


def parse_target(url: str, networks: Networks = ()) -> Target:
    """Check a URL as far as can be without asking for the address of its host.

    Raises InvalidSettings, as for an address that is not public and in none of the networks.
    """
    if len(url) > MOST_CHARACTERS:
        raise InvalidSettings(f"the webhook's URL has {len(url)} characters: at most {MOST_CHARACTERS} are allowed")
    if not _PRINTABLE.fullmatch(url):
        raise InvalidSettings("the webhook's URL must be of printable ASCII characters, without spaces")
    if "#" in url:
        raise InvalidSettings("the webhook's URL must be without a fragment (#)")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InvalidSettings(f"the webhook's URL cannot be understood: {error}") from error
    if parts.scheme not in _PORTS:
        raise InvalidSettings("the webhook's URL must start with http:// or https://")
    if "@" in parts.netloc:
        raise InvalidSettings("the webhook's URL must be without a user name or password")
    host, port = _host_and_port(parts.netloc, _PORTS[parts.scheme])
    literal = _literal(host)
    if literal is not None and not is_allowed(literal, networks):
        raise InvalidSettings(f"the webhook's address {host} is not a public one")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, parts.netloc, path)


def _host_and_port(authority: str, default: int) -> tuple[str, int]:
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise InvalidSettings("the webhook's URL must have a host: a name or an address, and at most a port after it")
    port = int(found["port"] or default)
    if not 1 <= port <= 65535:
        raise InvalidSettings(f"the webhook's port is {port}: it must be from 1 to 65535")
    return found["host"].strip("[]"), port


def _literal(host: str) -> str | None:
    """The address that the host itself is, in any notation that the system knows: 127.1 and 0x7f000001 too."""
    with contextlib.suppress(OSError):
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return str(found[0][4][0])
    return None


def _meant(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address within one of IPv6, where that is what is called."""
    if ip.version == 4:
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip
