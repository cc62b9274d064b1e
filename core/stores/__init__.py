"""Blob stores: one protocol, two adapters (`files` for one machine, `s3` for a fleet)."""

from __future__ import annotations

from regrow.core.stores.blobs import BlobStore
from regrow.core.stores.files import FilesBlobStore
from regrow.core.stores.settings import BlobSettings


def make_blob_store(settings: BlobSettings) -> BlobStore:
    """The store that the settings name."""
    match settings.blob_store:
        case "files":
            return FilesBlobStore(settings.blob_folder)
        case "s3":
            from regrow.core.stores.s3 import (
                S3BlobStore,  # boto3 takes half a second to import
            )

            return S3BlobStore(settings)
