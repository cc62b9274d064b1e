"""The dispatcher: sends what is due, again and again until it is received or the waits are used up.

All it does may be done twice, so any number may run at once; claims make it rare. Receivers tell by the webhook-id.
"""

from __future__ import annotations

import logging
import threading
import time
from urllib.parse import urlsplit

from regrow.core.errors import ServiceUnavailable
from regrow.core.webhooks.connect import Resolve, resolve
from regrow.core.webhooks.deliveries import Deliveries
from regrow.core.webhooks.model import Attempt, DeliveryDocument, DeliveryState, after_attempt
from regrow.core.webhooks.sender import WebhookSender
from regrow.core.webhooks.settings import WebhookSettings

log = logging.getLogger("regrow.webhooks")

POLL_SECONDS = 1.0
RECONCILE_SECONDS = 10.0

MOST_THREADS = 16
MOST_PER_HOST = 4
MOST_PER_OWNER = 8
"""A slow receiver holds up no others, and an owner of many of them no other owners."""

_BUSY_SECONDS = 0.25
"""After which a delivery to a busy receiver is looked at again."""

_SPARE_SECONDS = 45.0
"""By which a claim outlasts an attempt: name servers and stores may be slow."""

_STOP_SECONDS = 2.0
"""What is under way gets so long to end. Longer, and it is sent again when its claim has ended."""

_BATCH = 100


class Dispatcher:
    """resolve: from names to addresses, the system's unless another is given."""

    def __init__(self, deliveries: Deliveries, settings: WebhookSettings, resolve: Resolve = resolve) -> None:
        self._deliveries, self._waits = deliveries, settings.webhook_waits
        self._sender = WebhookSender(settings, resolve)
        self._claim_seconds = settings.webhook_timeout.total_seconds() + _SPARE_SECONDS
        self._under_way: dict[threading.Thread, tuple[str, str]] = {}
        self._changed = threading.Condition()

    def run(self, stopping: threading.Event) -> None:
        """Send until told to stop. An outage only makes it wait."""
        reconcile_at, more, down = 0.0, True, False
        while not stopping.wait(0 if more else POLL_SECONDS):
            more = False
            try:
                if time.monotonic() >= reconcile_at:
                    self._deliveries.reconcile()
                    reconcile_at = time.monotonic() + RECONCILE_SECONDS
                more = self._dispatch(stopping)
                down = False
            except ServiceUnavailable as error:
                if not down:
                    log.warning("%s; webhooks go on when it is back", error)
                down = True
            except Exception:
                log.exception("webhooks cannot be sent")
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, _STOP_SECONDS)

    def _dispatch(self, stopping: threading.Event) -> bool:
        """Begin to send what is due; whether there may be more."""
        ids = self._deliveries.due(_BATCH)
        for due in ids:
            with self._changed:
                free = self._changed.wait_for(lambda: len(self._under_way) < MOST_THREADS, POLL_SECONDS)
            if stopping.is_set() or not free:
                break
            self._begin(due)
        return bool(ids)

    def _begin(self, id: str) -> None:
        delivery = self._deliveries.claim(id, self._claim_seconds)
        if delivery is None:  # another dispatcher's
            return
        host = urlsplit(delivery.url).hostname or ""
        thread = threading.Thread(target=self._attempt, args=[delivery], name=f"webhook {id}", daemon=True)
        with self._changed:
            hosts, owners = zip(*self._under_way.values(), strict=True) if self._under_way else ((), ())
            busy = hosts.count(host) >= MOST_PER_HOST or owners.count(delivery.owner) >= MOST_PER_OWNER
            if not busy:
                self._under_way[thread] = host, delivery.owner
        if busy:
            self._deliveries.put_off(id, _BUSY_SECONDS)
            return
        try:
            thread.start()
        except RuntimeError:  # no more threads: it is sent when its claim has ended
            with self._changed:
                del self._under_way[thread]
            raise

    def _attempt(self, delivery: DeliveryDocument) -> None:
        """Send it once. Where that or its result cannot be stored, it is sent again when its claim has ended."""
        try:
            after = self._sent(delivery)
            self._deliveries.save(after)
            if after.state is DeliveryState.FAILED:
                log.warning("webhook %s is given up: %s", after.id, after.attempts[-1].error)
        except ServiceUnavailable as error:
            log.warning("%s; webhook %s is sent later", error, delivery.id)
        except Exception:
            log.exception("webhook %s is sent later", delivery.id)
        finally:
            with self._changed:
                del self._under_way[threading.current_thread()]
                self._changed.notify_all()

    def _sent(self, delivery: DeliveryDocument) -> DeliveryDocument:
        secrets = self._deliveries.secrets.signing(delivery.owner)
        at_ms, began = self._deliveries.clock(), time.monotonic()
        answer = self._sender.send(delivery, secrets, at_ms // 1000)
        seconds = round(time.monotonic() - began, 3)
        attempt = Attempt(at_ms=at_ms, seconds=seconds, status=answer.status, error=answer.error)
        return after_attempt(delivery, attempt, self._waits, answer.retry_after)
