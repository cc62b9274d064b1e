"""How this service speaks HTTP/1: uvicorn's protocol, and what it leaves to others."""

from __future__ import annotations

from regrow.api.connections.old_clients import PlainAnswers
from regrow.api.connections.pipelines import BoundedPipelines
from regrow.api.connections.upgrades import NoUpgrades


class Protocol(NoUpgrades, PlainAnswers, BoundedPipelines):
    """What the event loop hands a connection's bytes to. The base classes see them in the order named here."""
