"""Taking an image in: validated and stored before anything is queued, removed again if queueing fails."""

from __future__ import annotations

import contextlib

from api.dependencies import Service
from core.codec.budget import refuse_impossible
from core.codec.images import read_picture
from core.codec.patches import PatchGrid
from core.codec.presets import PATCH_SIZE
from core.codec.settings import EncodeSettings
from core.errors import RegrowError, ServiceUnavailable
from core.jobs.blobs.base import delete_all
from core.jobs.documents import JobDocument, JobKeys
from core.jobs.model import Job, new_job_id, now


def submit(service: Service, data: bytes, settings: EncodeSettings) -> Job:
    """Make a job of an image file's bytes.

    Raises ImageError where the file is bad, BudgetTooSmall where no bundle can be as small, ServiceUnavailable where
    the broker or the blob store is down; in all cases nothing is queued or stored.
    """
    picture = read_picture(data, service.settings.image_limits)
    refuse_impossible(picture, settings)
    document = JobDocument(
        id=new_job_id(),
        created_at=now(),
        width=picture.width,
        height=picture.height,
        channels=picture.channels,
        source_bytes=len(data),
        preset=settings.preset,
        effort=settings.effort,
        seed=settings.seed,
        seed_number=settings.seed_number,
        coder=settings.coder,
        target_psnr=settings.target_psnr,
        max_bytes=settings.max_bytes,
    )
    keys = JobKeys(document.id)
    try:
        service.blobs.put(keys.source, picture.to_png())
        service.blobs.put(keys.job, document.model_dump_json().encode())
        service.store.create(document, PatchGrid(picture.height, picture.width, PATCH_SIZE).count)
        service.sender.plan(document.id)
        return service.store.get(document.id)
    except ServiceUnavailable:
        _undo(service, document.id)
        raise


def _undo(service: Service, job_id: str) -> None:
    """Leave nothing behind, as far as what is still up allows."""
    with contextlib.suppress(RegrowError):
        service.store.forget(job_id)
    with contextlib.suppress(RegrowError):
        delete_all(service.blobs, JobKeys(job_id).prefix)
