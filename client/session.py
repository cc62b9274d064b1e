"""What both clients share and nothing of which sends: the server's address, the key, patience, and reading answers."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict

import httpx

from regrow.client.calls import SECONDS, Call, Result
from regrow.client.errors import ClientError, InvalidClientSettings, UnexpectedAnswer, Unreachable, refused

PATIENCE_SECONDS = 300.0
"""How long a server may be busy or away before the client gives up."""

FIRST_SECONDS = 10.0
"""How long a server is waited for that has never answered."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between attempts: doubled each time."""

POLL_SECONDS = 0.5
"""Between looks at a job or a group."""

ENVIRONMENT = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir")
"""What httpx obeys, in lower case."""


class HttpOptions(TypedDict):
    """Of httpx.Client and httpx.AsyncClient."""

    base_url: httpx.URL
    headers: dict[str, str]
    timeout: float
    trust_env: bool


class Session:
    """address: of the server, as httpx writes it. patience: seconds. reached: whether the server has ever answered.

    Raises InvalidClientSettings.
    """

    def __init__(self, server: str, key: str | None, patience: float) -> None:
        if key is not None and not (key.isascii() and key.isprintable()):
            raise InvalidClientSettings("the key has characters that no key has: a line's end, perhaps")
        url = parse_address(server)
        self.address = url if url.raw_path.endswith(b"/") else url.copy_with(raw_path=url.raw_path + b"/")
        self.patience, self.reached = patience, False
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    @property
    def http_options(self) -> HttpOptions:
        """The environment's proxies are obeyed, but not on the way to this very machine."""
        return {
            "base_url": self.address,
            "headers": self._headers,
            "timeout": SECONDS,
            "trust_env": not is_loopback(self.address.host),
        }

    def path_of(self, link: str) -> str:
        """Links have the server's prefix, where it has one; paths need not."""
        return link.removeprefix(self.address.path.rstrip("/"))

    def read(self, call: Call[Result], answer: httpx.Response) -> Result:
        """The result of a call that succeeded. Raises UnexpectedAnswer."""
        with self.understanding():
            return call.read(answer.content)

    @contextlib.contextmanager
    def understanding(self) -> Iterator[None]:
        """Around what reads an answer. Raises UnexpectedAnswer."""
        try:
            yield
        except (ValueError, KeyError) as error:
            raise UnexpectedAnswer(f"what answers at {self.address} is no Regrow of this release") from error

    def attempts(self) -> Attempts:
        began = time.monotonic()
        return Attempts(self, began, began + self.patience)


@dataclass(slots=True)
class Attempts:
    """One call's: says how long to wait until it is sent again. began, deadline: of the monotonic clock."""

    session: Session
    began: float
    deadline: float
    pause: float = FIRST_PAUSE

    def pause_after_answer(self, answer: httpx.Response) -> float | None:
        """Seconds; None where the call succeeded. Raises Refused where trying again does not help, or no longer."""
        self.session.reached = True
        if not answer.is_error:
            return None
        text = answer.headers.get("retry-after")
        if text is not None and text.isdecimal():  # proxies may send dates, which are not worth reading
            self.pause = float(text)
        return self._next_pause(refused(answer), may_help=text is not None)

    def pause_after_failure(self, error: httpx.HTTPError | httpx.InvalidURL) -> float:
        """Seconds. Raises Unreachable, InvalidClientSettings."""
        address = self.session.address
        if isinstance(error, httpx.InvalidURL):
            raise InvalidClientSettings(f"{address} is no address: {error}") from error
        if not self.session.reached:  # more likely a wrong address than a server that is about to come back
            self.deadline = min(self.deadline, self.began + FIRST_SECONDS)
        may_help = not isinstance(error, (httpx.LocalProtocolError, httpx.UnsupportedProtocol))
        reason = Unreachable(f"{address} cannot be reached: {error or type(error).__name__}")
        return self._next_pause(reason, may_help=may_help)

    def _next_pause(self, error: ClientError, *, may_help: bool) -> float:
        if not may_help or time.monotonic() + self.pause > self.deadline:
            raise error
        pause, self.pause = self.pause, min(2 * self.pause, LONGEST_PAUSE)
        return pause


def parse_address(server: str) -> httpx.URL:
    """Of a server, without a slash at its end. Raises InvalidClientSettings."""
    server = server.rstrip("/")
    try:
        return httpx.URL(server)
    except httpx.InvalidURL as error:
        raise InvalidClientSettings(f"{server} is no address: {error}") from error


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.endswith(".localhost")


@contextlib.contextmanager
def naming_settings() -> Iterator[None]:
    """Around the making of an httpx client, which reads the environment. Raises InvalidClientSettings."""
    try:
        yield
    except (httpx.InvalidURL, ValueError, ImportError, OSError) as error:  # what httpx raises for what it read there
        named = ", ".join(name for name in sorted(os.environ) if name.lower() in ENVIRONMENT and os.environ[name])
        words = f"{named}: one of these settings of the environment cannot be used: {error}"
        raise InvalidClientSettings(words) from error
