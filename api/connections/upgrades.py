"""Offers of another protocol (`Upgrade`), which are ignored, as they may be (RFC 9110, section 7.8)."""

from __future__ import annotations

from array import array

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_OFFER = frozenset({b"upgrade", b"http2-settings"})


class NoUpgrades(HttpToolsProtocol):
    """Reads a request that offers an upgrade as if it did not.

    httptools takes such an offer for accepted, and what follows the headers, the body too, for the other protocol's.
    """

    parser: _Parser

    def __init__(self, *args: object, **server: object) -> None:
        super().__init__(*args, **server)  # type: ignore[arg-type]
        self.parser = _Parser(self)

    def on_headers_complete(self) -> None:
        if not self.parser.offers():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self.parser.offers():
            super().on_message_complete()

    def head_without_offer(self) -> bytes:
        """The request's first line and headers, as they were read, without what concerns the upgrade."""
        first = b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        lines = [first]
        for name, value in self.headers:
            if name == b"connection":
                options = (option.strip() for option in value.split(b","))
                value = b", ".join(option for option in options if option.lower() not in _OFFER)
            if name not in _OFFER:
                lines.append(name + b": " + value)
        return b"\r\n".join(lines) + b"\r\n\r\n"


class _Parser(httptools.HttpRequestParser):
    """Has the protocol parse the head of a request that offers an upgrade once more, without the offer."""

    def __init__(self, protocol: NoUpgrades) -> None:
        super().__init__(protocol)
        self._protocol = protocol
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's: answer the first of a pipeline

    def offers(self) -> bool:
        """Whether the request whose headers were read offers what can be ignored: CONNECT asks for a tunnel."""
        return bool(self.should_upgrade()) and self.get_method() != b"CONNECT"

    def feed_data(self, data: bytes | bytearray | memoryview[int] | array[int]) -> None:
        parser, left = self, memoryview(data)
        while True:
            try:
                parser.parse(left)
                return
            except httptools.HttpParserUpgrade as offer:
                if not parser.offers():
                    raise
                left = left[offer.args[0] :]
            head = self._protocol.head_without_offer()
            parser = self._protocol.parser = _Parser(self._protocol)  # this one may be closed now
            parser.parse(head)

    def parse(self, data: bytes | memoryview) -> None:
        super().feed_data(data)
