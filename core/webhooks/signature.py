"""Signatures of the Standard Webhooks specification: symmetric, version 1."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_PREFIX = "whsec_"
_SECRET_BYTES = 32
"""The specification wants 24 to 64."""


def new_secret() -> str:
    """A random secret, as receivers enter it into their libraries: `whsec_<base64>`."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def sign(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """A signature for the header `webhook-signature`. timestamp: of the attempt, in seconds since 1970."""
    key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    digest = hmac.digest(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"
