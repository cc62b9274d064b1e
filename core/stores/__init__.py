"""Blob stores: one protocol, two adapters (`files` for one machine, `s3` for a fleet)."""

from __future__ import annotations

from core.stores.blobs import BlobStore
from core.stores.files import FilesBlobStore
from core.stores.settings import BlobSettings


def make_blob_store(settings: BlobSettings) -> BlobStore:
    """The store that the settings name."""
    match settings.blob_store:
        case "files":
            return FilesBlobStore(settings.blob_folder)
        case "s3":
            from core.stores.s3 import (
                S3BlobStore,  # boto3 takes half a second to import
            )

            return S3BlobStore(settings)
