"""The keys in force, in memory: looked up on every request, listed anew in the background every few seconds."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from regrow.core.access.keys import KeyDocument, KeyStore, key_id_of
from regrow.core.access.principal import LOCAL, Principal, Role
from regrow.core.errors import ServiceUnavailable
from regrow.core.times import now_ms

log = logging.getLogger("regrow.access")

FRESH_SECONDS = 3.0
"""After so long, the keys are listed anew, while requests go on with those seen last."""

OLD_SECONDS = 10.0
"""After so long, as after a quiet hour, a request waits for the new list: a key may have been revoked meanwhile."""

OUTAGE_SECONDS = 10.0
"""Between tries while the blob store is down."""

PATIENCE_SECONDS = 2.0
"""How long a request waits for a list; then the keys seen last hold, or, where there are none, it fails."""

ANYBODY = Principal(LOCAL, Role.ADMIN)
"""Whoever asks a service that has no keys."""


@dataclass(frozen=True, slots=True)
class _Known:
    """keys: those in force, by id. any: whether there ever was a key. listed: when they were, by the monotonic clock in
    seconds. fresh_until: when they are to be listed again, by the same clock."""

    keys: dict[str, KeyDocument]
    any: bool
    listed: float
    fresh_until: float


class KeyCache:
    """Thread-safe. While the blob store is down, the keys that were seen last hold.

    may_be_open: whether anybody may use the service as long as there never was a key.
    """

    def __init__(self, store: KeyStore, *, may_be_open: bool = True) -> None:
        self._store, self._may_be_open = store, may_be_open
        self._known: _Known | None = None
        self._lock = threading.Lock()

    @property
    def is_old(self) -> bool:
        """Whether `refresh` has to be called before `find`."""
        return self._known is None or time.monotonic() > self._known.listed + OLD_SECONDS

    def refresh(self) -> None:
        """List the keys, or wait a little for somebody else who does. Raises ServiceUnavailable where there never was
        a list."""
        before = self._known
        if self._lock.acquire(timeout=PATIENCE_SECONDS):
            try:
                if self._known is before:  # nobody else has meanwhile
                    self._list()
            finally:
                self._lock.release()
        if self._known is None:
            raise ServiceUnavailable("the API keys cannot be read: try again in a few seconds")

    def refresh_soon(self) -> None:
        """List the keys in the background, if it is time to."""
        known = self._known
        if (known is None or time.monotonic() > known.fresh_until) and self._lock.acquire(blocking=False):
            threading.Thread(target=self._list_and_release, name="keys", daemon=True).start()

    def find(self, token: str | None) -> Principal | None:
        """Whom the key stands for; None for one that is unknown, revoked or expired, or where one is needed and there
        is none."""
        known = self._known
        if known is None:
            return None
        if not known.any:
            return ANYBODY if self._may_be_open else None
        document = known.keys.get(key_id_of(token or "") or "")
        if document is None or token is None or not document.is_good(token, now_ms()):
            return None
        return document.principal()

    def _list_and_release(self) -> None:
        try:
            self._list()
        finally:
            self._lock.release()

    def _list(self) -> None:
        """The lock is held."""
        known = self._known
        had_keys = known is not None and known.any
        try:
            ids, found = self._store.ids()
            if had_keys and not found:  # keys are never deleted: a folder that is not there any more looks like this
                raise ServiceUnavailable("the blob store has lost the API keys")
            seen = known.keys if known else {}
            keys = {key_id: document for key_id in ids if (document := seen.get(key_id) or self._store.get(key_id))}
        except ServiceUnavailable as error:
            log.warning("%s: the API keys seen last hold", error)
            if known is not None:
                now = time.monotonic()
                self._known = _Known(known.keys, known.any, now, now + OUTAGE_SECONDS)
            return
        now = time.monotonic()
        self._known = _Known(keys, found, now, now + FRESH_SECONDS)
