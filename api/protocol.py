"""How this service speaks HTTP/1: uvicorn's protocol, and what it leaves to others."""

from __future__ import annotations

from api.old_clients import PlainAnswers
from api.slow_clients import BoundedProtocol
from api.upgrades import NoUpgrades


class Protocol(NoUpgrades, PlainAnswers, BoundedProtocol):
    """The first sees a request first."""
