"""Connections to checked addresses only.

A name is resolved once, and the address that was checked is the one that is connected to: a name server that answers
differently a moment later (DNS rebinding) changes nothing. TLS still verifies the name.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable

import httpcore

from regrow.core.webhooks.address import Networks, is_allowed

Resolve = Callable[[str, int], list[str]]
"""From a host and port to numeric addresses. Raises OSError."""


class AddressRefused(httpcore.ConnectError):
    """The host has no address that may be called."""


def resolve(host: str, port: int) -> list[str]:
    """By the system's resolver, which takes as long as it is configured to."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # what a name may not be, by the codec for international ones
        raise OSError(str(error)) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class CheckedBackend(httpcore.NetworkBackend):
    """networks: allowed although they are not public. deadline: of time.monotonic(), after which all ends."""

    def __init__(self, networks: Networks, deadline: float, resolve: Resolve = resolve) -> None:
        self._networks, self._deadline, self._resolve = networks, deadline, resolve
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """To the first of the host's addresses that is allowed and answers. Raises AddressRefused, ConnectError."""
        try:
            found = self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"the name {host} cannot be resolved") from error
        failure: Exception = AddressRefused(f"refused: {host} is not at a public address")
        for address in found:
            if not is_allowed(address, self._networks):
                continue
            left = _seconds_left(self._deadline, timeout)
            try:
                stream = self._plain.connect_tcp(address, port, left, local_address, socket_options)
                return _TimedStream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class _TimedStream(httpcore.NetworkStream):
    """A stream whose every wait ends at the deadline: one byte every few seconds does not prolong it."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _seconds_left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _seconds_left(self._deadline, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, _seconds_left(self._deadline, timeout))
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def _seconds_left(deadline: float, timeout: float | None) -> float:
    """Until the deadline or the timeout, whichever is first. Raises httpcore.ReadTimeout when it is past."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the attempt has had its time")
    return left if timeout is None else min(left, timeout)
