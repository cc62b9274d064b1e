"""The keys in force, in memory: looked up on every request, listed anew every few seconds."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from core.access.keys import KeyDocument, KeyStore, key_id_of
from core.access.principal import Principal, Role
from core.errors import BlobNotFound, ServiceUnavailable
from core.jobs.documents import LOCAL
from core.jobs.model import now_ms

log = logging.getLogger("regrow.access")

FRESH_SECONDS = 3.0
"""A key that is created or revoked is known to be everywhere after so long."""

ANYBODY = Principal(LOCAL, Role.ADMIN)
"""Whoever asks a service that has no keys."""


@dataclass(frozen=True, slots=True)
class _Known:
    keys: dict[str, KeyDocument]
    any: bool
    until: float


class KeyRing:
    """Thread-safe. While the blob store is down, the keys that were seen last hold."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._known: _Known | None = None
        self._lock = threading.Lock()

    @property
    def is_stale(self) -> bool:
        """Whether `refresh` has to be called before `find`."""
        return self._known is None or time.monotonic() > self._known.until

    def refresh(self) -> None:
        """List the keys. Raises ServiceUnavailable where that never worked yet."""
        with self._lock:
            if not self.is_stale:
                return
            known = self._known.keys if self._known else {}
            try:
                ids, found = self._store.ids()
                keys = {key_id: known.get(key_id) or self._store.get(key_id) for key_id in ids}
            except (BlobNotFound, ServiceUnavailable) as error:
                if self._known is None:
                    raise ServiceUnavailable("the API keys cannot be read: try again in a few seconds") from error
                log.warning("%s: the API keys seen last hold", error)
                keys, found = known, self._known.any
            self._known = _Known(keys, found, time.monotonic() + FRESH_SECONDS)

    def find(self, token: str | None) -> Principal | None:
        """Whom the key stands for; None for one that is unknown, revoked or expired, or where one is needed and there
        is none. `refresh` has been called."""
        known = self._known
        if known is None:
            return None
        if not known.any:
            return ANYBODY
        document = known.keys.get(key_id_of(token or "") or "")
        if document is None or token is None or not document.is_good(token, now_ms()):
            return None
        return document.principal()
