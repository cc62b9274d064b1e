"""A door to a real S3 store behind which conditional writes do not work, or not at the moment."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

from regrow.core.stores.s3 import S3BlobStore
from regrow.core.stores.settings import BlobSettings
from tests.services import S3

_INCOMPLETE = b"<Error><Code>IncompleteBody</Code><Message>fewer bytes than were announced</Message></Error>"
_NOT_IMPLEMENTED = b"<Error><Code>NotImplemented</Code><Message>a header is not known</Message></Error>"


@contextlib.contextmanager
def unfit_store(store: S3, conditions: Literal["refused", "ignored", "cut"]) -> Iterator[S3]:
    """The store, where a write with If-None-Match is answered with 501, or done in any case; cut: with 400,
    if it has a body."""
    plain = S3BlobStore(settings_of(store))
    target = urlsplit(store.endpoint).netloc

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("If-None-Match") and (body or conditions != "cut"):
                if conditions == "cut":
                    self._answer(400, [], _INCOMPLETE)
                elif conditions == "refused":
                    self._answer(501, [], _NOT_IMPLEMENTED)
                else:  # not by passing it on without the header, which is signed
                    plain.put(urlsplit(self.path).path.removeprefix(f"/{store.bucket}/"), body)
                    self._answer(200, [("ETag", '"0"')], b"")
                return
            connection = http.client.HTTPConnection(target)
            headers = {name: value for name, value in self.headers.items() if name != "Expect"}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            found = [(name, value) for name, value in answer.getheaders() if name.lower() not in _OF_THE_CONNECTION]
            self._answer(answer.status, found, answer.read())
            connection.close()

        def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in [*headers, ("Content-Length", str(len(body)))]:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = _pass  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    try:
        yield store.at(f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()


_OF_THE_CONNECTION = {"content-length", "transfer-encoding", "connection"}


def settings_of(store: S3) -> BlobSettings:
    return BlobSettings(
        blob_store="s3",
        s3_endpoint=store.endpoint,
        s3_access_key=store.access_key,
        s3_secret_key=store.secret_key,  # type: ignore[arg-type]
        s3_bucket=store.bucket,
    )
