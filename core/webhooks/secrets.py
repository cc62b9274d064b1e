"""What webhooks are signed with: a secret per owner, which can be replaced without a delivery being refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta

from regrow.core.errors import BlobNotFound
from regrow.core.stores.blobs import BlobStore
from regrow.core.webhooks.model import FormerSecret, SecretDocument
from regrow.core.webhooks.signature import new_secret

OVERLAP = timedelta(days=1)
"""A replaced secret signs for so long beside its successor, so that receivers can change over one by one."""

MOST_FORMER = 3


class SecretStore:
    """clock: milliseconds since 1970. Every method raises ServiceUnavailable when the store cannot be reached."""

    def __init__(self, blobs: BlobStore, clock: Callable[[], int]) -> None:
        self._blobs, self._clock = blobs, clock

    def current(self, owner: str) -> str:
        """The owner's secret, made when it is first asked for."""
        return self._document(owner).secret

    def signing(self, owner: str) -> tuple[str, ...]:
        """All that deliveries are signed with now, the current secret first."""
        document = self._document(owner)
        return (document.secret, *(each.secret for each in self._still_signing(document)))

    def rotate(self, owner: str) -> str:
        """Replace the owner's secret; the new one. Where two do so at once, `current` tells which stayed."""
        document = self._document(owner)
        replaced = FormerSecret(secret=document.secret, until_ms=self._clock() + round(OVERLAP.total_seconds() * 1000))
        former = (replaced, *self._still_signing(document))[:MOST_FORMER]
        rotated = SecretDocument(secret=new_secret(), former=former)
        self._blobs.put(_key(owner), rotated.model_dump_json().encode())
        return rotated.secret

    def _still_signing(self, document: SecretDocument) -> tuple[FormerSecret, ...]:
        now = self._clock()
        return tuple(each for each in document.former if each.until_ms > now)

    def _document(self, owner: str) -> SecretDocument:
        key = _key(owner)
        try:
            data = self._blobs.get(key)
        except BlobNotFound:
            self._blobs.put_if_absent(key, SecretDocument(secret=new_secret()).model_dump_json().encode())
            data = self._blobs.get(key)  # perhaps another's
        return SecretDocument.model_validate_json(data)


def _key(owner: str) -> str:
    return f"webhooks/secrets/{hashlib.sha256(owner.encode()).hexdigest()}.json"
