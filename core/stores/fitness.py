"""Whether a blob store keeps the promise that the service is built on: of several writers, one wins."""

from __future__ import annotations

import contextlib
import secrets
import time

from regrow.core.errors import RegrowError, UnfitStore
from regrow.core.stores.blobs import BlobStore
from regrow.core.times import now_ms

PROBES = "probes/"
"""Under it, an empty object for the moment of a probe. Its name begins with when it was made."""

LASTS_SECONDS = 60.0
"""How long a store that has passed is not asked again."""

_OLD_MS = 3_600_000


class Fitness:
    """Of one store, as far as is known. lacks: what a store lacks that fails, and what would be right."""

    def __init__(self, lacks: str) -> None:
        self._lacks, self._good_until = lacks, 0.0

    def check(self, store: BlobStore) -> None:
        """Write an object twice, of which the second must be refused. Raises UnfitStore, ServiceUnavailable."""
        if time.monotonic() < self._good_until:
            return
        key = new_probe()
        try:
            store.put_if_absent(key, b"")
            if store.put_if_absent(key, b""):
                raise self.unfit()
        finally:
            with contextlib.suppress(RegrowError):
                store.delete(key)
        self._good_until = time.monotonic() + LASTS_SECONDS

    def unfit(self) -> UnfitStore:
        """The error, for a store that has just shown it."""
        self._good_until = 0.0
        return UnfitStore(self._lacks)


def new_probe() -> str:
    """A key that nobody else uses."""
    return f"{PROBES}{now_ms():013d}-{secrets.token_hex(8)}"


def delete_old_probes(store: BlobStore) -> None:
    """Remove what probes left behind whose process was killed."""
    for key in store.list(PROBES):
        if int(key.removeprefix(PROBES).partition("-")[0]) < now_ms() - _OLD_MS:
            store.delete(key)
