"""One attempt: a POST to where it may go, judged by its status."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import httpcore

from regrow.core.errors import InvalidSettings
from regrow.core.version import VERSION
from regrow.core.webhooks.address import Target, parse_target
from regrow.core.webhooks.connect import CheckedBackend, Resolve, resolve
from regrow.core.webhooks.model import DeliveryDocument, parse_retry_after
from regrow.core.webhooks.settings import WebhookSettings
from regrow.core.webhooks.signature import sign

log = logging.getLogger("regrow.webhooks")

_MOST_ANSWER_BYTES = 4096
_TIMEOUTS = {"timeout": {"connect": 5.0}}
"""Seconds; all else is bounded by the backend's deadline."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one attempt. status: HTTP's, None where none came. error: why it is no success, None for one.
    retry_after: that the receiver asks for."""

    status: int | None = None
    error: str | None = None
    retry_after: timedelta | None = None


class WebhookSender:
    """Follows no redirects, knows no proxies, keeps no cookies and no connections."""

    def __init__(self, settings: WebhookSettings, resolve: Resolve = resolve) -> None:
        self._networks, self._resolve = settings.webhook_networks, resolve
        self._seconds = settings.webhook_timeout.total_seconds()
        self._tls = httpcore.default_ssl_context()
        self._tls.load_default_certs()  # an intranet's own authority

    def send(self, delivery: DeliveryDocument, secrets: Sequence[str], timestamp: int) -> Answer:
        """Send it once, signed with each secret. timestamp: now, in seconds since 1970.

        What goes wrong is in the answer.
        """
        try:
            target = parse_target(delivery.url, self._networks)
            return self._post(target, delivery.body.encode(), _headers(delivery, secrets, timestamp))
        except InvalidSettings as error:
            return Answer(error=str(error))
        except httpcore.TimeoutException:
            return Answer(error="no answer in time")
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            return Answer(error=str(error) or "the connection was cut")
        except Exception as error:
            log.exception("webhook %s cannot be sent", delivery.id)
            return Answer(error=f"it cannot be sent ({type(error).__name__})")

    def _post(self, target: Target, body: bytes, headers: dict[bytes | str, bytes | str]) -> Answer:
        backend = CheckedBackend(self._networks, time.monotonic() + self._seconds, self._resolve)
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        headers["Host"] = target.authority
        with (
            httpcore.ConnectionPool(self._tls, network_backend=backend) as pool,
            pool.stream("POST", url, headers=headers, content=body, extensions=_TIMEOUTS) as response,
        ):
            _read_a_little(response)
            return _judged(response)


def _headers(delivery: DeliveryDocument, secrets: Sequence[str], timestamp: int) -> dict[bytes | str, bytes | str]:
    signatures = [sign(secret, delivery.id, timestamp, delivery.body.encode()) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": f"regrow/{VERSION}",
        "webhook-id": delivery.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def _read_a_little(response: httpcore.Response) -> None:
    """So that a short answer is not cut off. The status is known: nothing of this matters."""
    read = 0
    with contextlib.suppress(httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        for part in response.iter_stream():
            read += len(part)
            if read >= _MOST_ANSWER_BYTES:
                return


def _judged(response: httpcore.Response) -> Answer:
    status = response.status
    if 200 <= status < 300:
        return Answer(status)
    if 300 <= status < 400:
        return Answer(status, f"answered {status}: redirects are not followed")
    found = [value for name, value in response.headers if name.lower() == b"retry-after"]
    retry_after = parse_retry_after(found[0].decode("latin-1")) if found else None
    return Answer(status, f"answered {status}", retry_after)
