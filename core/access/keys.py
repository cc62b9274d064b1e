"""API keys, in the blob store: one object per key, with a hash of the key and never the key.

A key is 256 random bits, so one round of SHA-256 hides it as well as a slow hash would. A key that is in force is under
`keys/active/`, one that was revoked under `keys/revoked/`: what is in force is one listing away.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets

from pydantic import BaseModel, ConfigDict, ValidationError

from regrow.core.access.principal import Principal, Role, check_owner
from regrow.core.errors import BlobNotFound, KeyNotFound
from regrow.core.stores.blobs import BlobStore
from regrow.core.times import now_ms

log = logging.getLogger("regrow.access")

KEYS = "keys/"
ACTIVE, REVOKED = f"{KEYS}active/", f"{KEYS}revoked/"

_ID = re.compile(r"[0-9a-f]{12}")
_TOKEN = re.compile(r"regrow_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


class KeyDocument(BaseModel):
    """What is kept of a key. version: of this form. digest: SHA-256 of the key, hexadecimal. max_patches: as in
    Principal. Times: milliseconds since 1970."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    id: str
    owner: str
    role: Role
    digest: str
    created_ms: int
    expires_ms: int | None = None
    revoked_ms: int | None = None
    max_patches: int | None = None

    def is_good(self, token: str, now: int) -> bool:
        """Whether the token is this key, and the key still holds. Takes as long for a wrong token as for the right."""
        same = hmac.compare_digest(self.digest, _digest(token))
        return same and (self.expires_ms is None or now < self.expires_ms)

    def principal(self) -> Principal:
        """Who makes a request that shows this key."""
        return Principal(self.owner, self.role, self.id, self.max_patches)


def key_id_of(token: str) -> str | None:
    """The id in a key; None where the text cannot be one."""
    found = _TOKEN.fullmatch(token)
    return found.group(1) if found else None


class KeyStore:
    """Every method raises ServiceUnavailable when the blob store cannot be reached."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def create(
        self, owner: str, role: Role = Role.USER, *, expires_ms: int | None = None, max_patches: int | None = None
    ) -> tuple[str, KeyDocument]:
        """A new key, which is shown this once, and what is kept of it. Raises InvalidSettings."""
        key_id = secrets.token_hex(6)
        token = f"regrow_{key_id}_{secrets.token_urlsafe(32)}"
        document = KeyDocument(
            id=key_id,
            owner=check_owner(owner),
            role=role,
            digest=_digest(token),
            created_ms=now_ms(),
            expires_ms=expires_ms,
            max_patches=max_patches,
        )
        self._blobs.put(f"{ACTIVE}{key_id}.json", document.model_dump_json().encode())
        return token, document

    def revoke(self, key_id: str) -> KeyDocument:
        """End a key; one that is revoked already stays so. Raises KeyNotFound."""
        if not _ID.fullmatch(key_id):
            raise KeyNotFound(f"{key_id!r} is no id of a key: those have 12 hexadecimal digits")
        document = self.get(key_id)
        if document is None:
            return self._read(f"{REVOKED}{key_id}.json", key_id)
        document = document.model_copy(update={"revoked_ms": now_ms()})
        self._blobs.put(f"{REVOKED}{key_id}.json", document.model_dump_json().encode())
        self._blobs.delete(f"{ACTIVE}{key_id}.json")
        return document

    def get(self, key_id: str) -> KeyDocument | None:
        """A key that was not revoked; None where there is none that this release can read."""
        try:
            return KeyDocument.model_validate_json(self._blobs.get(f"{ACTIVE}{key_id}.json"))
        except BlobNotFound:
            return None
        except ValidationError:
            log.error("the key %s cannot be read: it is of another release, or damaged", key_id)
            return None

    def all(self) -> list[KeyDocument]:
        """Every key there ever was, the oldest first."""
        found = {}
        for blob in self._blobs.list(KEYS):  # the revoked come last: one may still be under both
            document = self._read(blob, blob)
            found[document.id] = document
        return sorted(found.values(), key=lambda document: document.created_ms)

    def ids(self) -> tuple[set[str], bool]:
        """The ids of keys that were not revoked, and whether there ever was a key."""
        keys = self._blobs.list(KEYS)
        active = {key.removeprefix(ACTIVE).removesuffix(".json") for key in keys if key.startswith(ACTIVE)}
        return set(filter(_ID.fullmatch, active)), bool(keys)

    def _read(self, blob: str, name: str) -> KeyDocument:
        try:
            return KeyDocument.model_validate_json(self._blobs.get(blob))
        except BlobNotFound as error:
            raise KeyNotFound(f"there is no key {name}") from error


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
