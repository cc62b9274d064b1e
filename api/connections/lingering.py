"""Closing without losing the answer: a client that is still sending hears it only if what it sends is taken.

Closing a socket that has, or gets, bytes which nobody reads resets the connection, and the client may lose an answer
that it has already received (RFC 9112, section 9.6). So the end of the answer is sent first, and what comes is read
and thrown away for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

MOST_SECONDS = 30.0
SILENT_SECONDS = 5.0
MOST_BYTES = 256 * 1024 * 1024
"""Bounds on lingering: seconds in all, seconds without a byte, and bytes that are read and thrown away."""


class LingeringTransport:
    """A connection's transport, but for `close`: where the client is still sending, it goes on reading for a while.

    protocol: the connection's, which is told of its end as ever. is_receiving: whether a request is not whole yet;
    on_linger: called when lingering begins. A second `close` closes.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        protocol: asyncio.Protocol,
        is_receiving: Callable[[], bool],
        on_linger: Callable[[], None],
    ) -> None:
        self._transport, self._protocol = transport, protocol
        self._is_receiving, self._on_linger = is_receiving, on_linger
        self._lingers = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._lingers or self._transport.is_closing()

    def close(self) -> None:
        if self.is_closing() or not self._transport.can_write_eof() or not self._is_receiving():
            self.close_now()
            return
        try:
            self._transport.write_eof()
        except OSError:  # the client has gone already
            self.close_now()
            return
        self._lingers = True
        self._on_linger()
        self._transport.set_protocol(_Discard(self._transport, self._protocol))
        self._transport.resume_reading()

    def close_now(self) -> None:
        self._transport.close()


class _Discard(asyncio.Protocol):
    """The protocol of a connection that lingers: throws away what comes until the client closes or a bound is met."""

    def __init__(self, transport: asyncio.Transport, before: asyncio.Protocol) -> None:
        self._transport, self._before, self._bytes = transport, before, 0
        loop = asyncio.get_running_loop()
        self._end = loop.call_later(MOST_SECONDS, transport.abort)
        self._silence = loop.call_later(SILENT_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        self._bytes += len(data)
        self._silence.cancel()
        if self._bytes > MOST_BYTES:
            self._transport.abort()
        else:
            self._silence = asyncio.get_running_loop().call_later(SILENT_SECONDS, self._transport.abort)

    def pause_writing(self) -> None:
        self._before.pause_writing()

    def resume_writing(self) -> None:
        self._before.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        self._silence.cancel()
        self._before.connection_lost(exc)
