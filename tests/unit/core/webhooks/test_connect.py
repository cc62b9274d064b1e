"""H9: at connect time, names are judged by the address that is then connected to."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_network

import httpcore
import pytest

from regrow.core.webhooks.connect import AddressRefused, CheckedBackend, resolve

ONE = (ip_network("127.0.0.1/32"),)


class Resolver:
    """Gives its answers one after the other."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), list[str]()

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """At the address that is allowed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        yield server


@pytest.fixture
def forbidden(listener: socket.socket) -> Iterator[socket.socket]:
    """At the same port of an address that is not."""
    with socket.create_server(("127.0.0.2", listener.getsockname()[1])) as server:
        server.settimeout(0)
        yield server


def _backend(resolver: Resolver, seconds: float = 5.0) -> CheckedBackend:
    return CheckedBackend(ONE, time.monotonic() + seconds, resolver)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.2", "10.0.0.1", "169.254.169.254", "100.64.0.1", "::1", "fd00::1", "fe80::1%lo", "0.0.0.0"),
        *("::ffff:127.0.0.2", "64:ff9b::7f00:2", "2002:7f00:2::", "2001:0:7f00:2::1", "224.0.0.1"),
    ],
)
def test_H9_a_name_that_resolves_to_a_private_address_is_refused(address: str, forbidden: socket.socket) -> None:
    with pytest.raises(AddressRefused, match=r"refused: intranet\.example is not at a public address"):
        _backend(Resolver([address])).connect_tcp("intranet.example", forbidden.getsockname()[1])
    with pytest.raises(BlockingIOError):
        forbidden.accept()


def test_H9_a_name_of_several_addresses_is_connected_to_one_that_is_allowed(forbidden: socket.socket) -> None:
    resolver = Resolver(["10.0.0.1", "127.0.0.2", "127.0.0.1", "::1"])
    stream = _backend(resolver).connect_tcp("both.example", forbidden.getsockname()[1])
    assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
    stream.close()


def test_H9_a_second_answer_of_the_name_server_changes_nothing(forbidden: socket.socket) -> None:
    """DNS rebinding: the first answer may be called, the second may not."""
    resolver = Resolver(["127.0.0.1"], ["127.0.0.2"])
    port = forbidden.getsockname()[1]
    stream = _backend(resolver).connect_tcp("rebinding.example", port)
    assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
    assert resolver.asked == ["rebinding.example"]
    stream.close()
    with pytest.raises(AddressRefused):
        _backend(resolver).connect_tcp("rebinding.example", port)
    with pytest.raises(BlockingIOError):
        forbidden.accept()


def test_an_address_that_does_not_answer_is_not_the_last(listener: socket.socket) -> None:
    networks = (*ONE, ip_network("127.0.0.3/32"))
    backend = CheckedBackend(networks, time.monotonic() + 5, Resolver(["127.0.0.3", "127.0.0.1"]))
    stream = backend.connect_tcp("both.example", listener.getsockname()[1])
    assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
    stream.close()


def test_tls_verifies_the_name_not_the_address(listener: socket.socket) -> None:
    names: list[str | None] = []

    def serve() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = lambda _, name, __: names.append(name)
        accepted, _ = listener.accept()
        with accepted, contextlib.suppress(OSError):  # it has no certificate to show
            context.wrap_socket(accepted, server_side=True)

    thread = threading.Thread(target=serve)
    thread.start()
    url = f"https://hooks.example:{listener.getsockname()[1]}/"
    backend = _backend(Resolver(["127.0.0.1"]))
    with httpcore.ConnectionPool(network_backend=backend) as pool, pytest.raises(httpcore.ConnectError):
        pool.request("POST", url)
    thread.join()
    assert names == ["hooks.example"]


def test_a_receiver_that_drips_is_cut_off_at_the_deadline(listener: socket.socket) -> None:
    """Each byte comes soon enough, all of them do not."""
    over = threading.Event()

    def drip() -> None:
        accepted, _ = listener.accept()
        with accepted, contextlib.suppress(OSError):
            accepted.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not over.wait(0.05):
                accepted.sendall(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    began = time.monotonic()
    backend = _backend(Resolver(["127.0.0.1"]), seconds=0.5)
    with httpcore.ConnectionPool(network_backend=backend) as pool, pytest.raises(httpcore.TimeoutException):
        pool.request("POST", f"http://slow.example:{listener.getsockname()[1]}/")
    assert 0.4 < time.monotonic() - began < 3
    over.set()
    thread.join()


def test_a_name_that_is_none_cannot_be_resolved() -> None:
    with pytest.raises(OSError, match="label"):
        resolve("a..b", 80)
    with pytest.raises(httpcore.ConnectError, match=r"a\.\.b cannot be resolved"):
        CheckedBackend((), time.monotonic() + 5).connect_tcp("a..b", 80)


def test_the_systems_resolver_knows_this_machine() -> None:
    assert {"127.0.0.1", "::1"} & set(resolve("localhost", 80))
    with pytest.raises(AddressRefused):
        CheckedBackend((), time.monotonic() + 5).connect_tcp("localhost", 80)
