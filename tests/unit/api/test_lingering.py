"""D7: a connection is closed whatever has become of its client."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from regrow.api.connections.lingering import LingeringTransport


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_D7_who_has_gone_already_is_closed_at_once() -> None:
    loop, closed = asyncio.get_running_loop(), asyncio.Event()

    class Protocol(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            closed.set()

    ours, theirs = socket.socketpair()
    transport, protocol = await loop.create_connection(Protocol, sock=ours)

    def refuse() -> None:
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    transport.write_eof = refuse  # type: ignore[method-assign]
    lingering = LingeringTransport(transport, protocol, lambda: True, lambda: pytest.fail("it does not linger"))
    with theirs:
        lingering.close()
        async with asyncio.timeout(60):
            await closed.wait()
    assert lingering.is_closing()
