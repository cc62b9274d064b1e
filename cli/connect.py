"""Connecting the command line to a server, whatever proxy settings the environment has."""

from __future__ import annotations

import ipaddress
import os

import httpx

from regrow.cli.console import complain
from regrow.client import Client
from regrow.client.session import is_loopback, parse_address


def connect(server: str, key: str | None) -> Client:
    """A client of the server at this address. Raises InvalidClientSettings."""
    if not is_loopback(parse_address(server).host):
        _leave_out_unusable_exceptions()
    return Client(server, key)


def _leave_out_unusable_exceptions() -> None:
    """Take the entries out of NO_PROXY that httpx cannot parse, such as networks in IPv6: it would refuse to start."""
    for name in ("no_proxy", "NO_PROXY"):
        entries = os.environ.get(name, "").split(",")
        unusable = [entry for entry in entries if not _is_usable_exception(entry.strip())]
        if unusable:
            complain(f"{name}: left out, as no address that can be used: {', '.join(unusable)}")
            os.environ[name] = ",".join(entry for entry in entries if entry not in unusable)


def _is_usable_exception(entry: str) -> bool:
    """Whether httpx can parse an entry of NO_PROXY: does with it what httpx does."""
    try:
        ipaddress.IPv6Address(entry.partition("/")[0])
        entry = f"[{entry}]"
    except ValueError:
        entry = f"*{entry}"
    try:
        httpx.URL(entry[1:] if "://" in entry else f"all://{entry}")
    except httpx.InvalidURL:
        return False
    return True
