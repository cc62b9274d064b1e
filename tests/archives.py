"""ZIP files, good and bad."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping


def zip_of(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def encrypted_zip(name: str, data: bytes) -> bytes:
    """One that says it is encrypted, in both of the places that say so."""
    made = bytearray(zip_of({name: data}))
    made[6] |= 1
    made[made.index(b"PK\x01\x02") + 8] |= 1
    return bytes(made)


def lying_zip(name: str, data: bytes, claimed: int) -> bytes:
    """One whose headers claim that the file unpacks to so many bytes."""
    made = bytearray(zip_of({name: data}))
    central = made.index(b"PK\x01\x02")
    for place in (22, central + 24):
        made[place : place + 4] = claimed.to_bytes(4, "little")
    return bytes(made)
