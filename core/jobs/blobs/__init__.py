"""Blob stores: one protocol, two adapters (`files` for one machine, `s3` for a fleet)."""

from __future__ import annotations

from core.jobs.blobs.base import BlobStore
from core.jobs.blobs.files import FilesBlobStore
from core.jobs.settings import BlobSettings


def make_blob_store(settings: BlobSettings) -> BlobStore:
    """The store that the settings name."""
    match settings.blob_store:
        case "files":
            return FilesBlobStore(settings.blob_folder)
        case "s3":
            from core.jobs.blobs.s3 import (
                S3BlobStore,  # boto3 takes half a second to import
            )

            return S3BlobStore(settings)
