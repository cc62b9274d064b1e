"""`/groups`: many images in one request."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from regrow.api.access import Caller
from regrow.api.asgi.prefix import below_prefix
from regrow.api.bodies.groups import GroupBody, manifest_csv, manifest_rows
from regrow.api.dependencies import ServiceDependency
from regrow.api.errors import NOTHING_ACCEPTED, TABLE, problem
from regrow.api.responses import problems
from regrow.api.routes.jobs import POLL_SECONDS
from regrow.api.settings import ApiSettings
from regrow.api.submit.gone import Gone, while_connected
from regrow.api.submit.group import UploadedFile, submit_group
from regrow.api.submit.options import (
    FILE,
    IMAGE_TYPES,
    EncodeOptions,
    IdempotencyKey,
    body_schema,
    open_form,
    with_fields,
)
from regrow.core.errors import GroupNotFound, TooBusy, UnsupportedImage
from regrow.core.jobs.groups import GroupDocument
from regrow.core.jobs.model import is_job_id

router = APIRouter(tags=["groups"])

PATH = "/groups"
IN_MEMORY_BYTES = 1 << 20
ZIP = "application/zip"
NOT_FOUND = problems(404, 503)


class ManifestKind(StrEnum):
    """The forms that a group's manifest comes in."""

    JSON = "json"
    CSV = "csv"


async def _group(
    id: Annotated[str, Path(description="The group's id", examples=["0" * 32])],
    principal: Caller,
    service: ServiceDependency,
) -> GroupDocument:
    """Another owner's group is answered as an unknown one."""
    if not is_job_id(id):
        raise GroupNotFound(f"there is no group {id[:100]}")
    document = await run_in_threadpool(service.groups.get, id)
    if not principal.sees(document.owner):
        raise GroupNotFound(f"there is no group {id}")
    return document


Group = Annotated[GroupDocument, Depends(_group)]


@router.post(
    PATH,
    status_code=HTTPStatus.ACCEPTED,
    response_model=GroupBody,
    responses=problems(400, 408, 409, 413, 415, 422, 429, 503, 507),
    openapi_extra=body_schema({"images": {"type": "array", "items": FILE}}, (ZIP, *IMAGE_TYPES)),
)
async def make_group(
    request: Request,
    response: Response,
    service: ServiceDependency,
    principal: Caller,
    options: Annotated[EncodeOptions, Query()],
    idempotency_key: IdempotencyKey = None,
) -> GroupBody | Response:
    """Encode many images, one job each: a ZIP as the body, or multipart with any number of images and ZIPs as files.

    An image that is refused is told of in `items` and does not stop the others; only where all are, the request fails.
    Options hold for all images; `webhook` is told once, when all jobs have ended. With an Idempotency-Key, the same
    request sent again within a day answers with the group that the first one made.
    """
    with service.slots.group_of(principal.owner):
        async with _files(request, options, service.settings) as (files, options):
            order = options.order(idempotency_key, service.settings.webhook_networks)

            async def submit(gone: Gone) -> tuple[GroupDocument, bool]:
                work = partial(submit_group, service, principal, files, order, gone)
                return await to_thread.run_sync(work, limiter=service.slots.groups)

            document, replayed = await while_connected(request, submit)
    if not any(entry.job_id for entry in document.entries):
        return _all_refused(document)
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = below_prefix(f"{PATH}/{document.id}")
    response.headers["Retry-After"] = str(POLL_SECONDS)
    return await run_in_threadpool(lambda: GroupBody.of(document, service.groups.members(document)))


@router.get(PATH + "/{id}", responses=NOT_FOUND)
def get_group(group: Group, service: ServiceDependency) -> GroupBody:
    """One group: its progress, and what became of each image."""
    return GroupBody.of(group, service.groups.members(group))


@router.get(
    PATH + "/{id}/manifest.{kind}",
    response_class=Response,
    responses={**NOT_FOUND, **problems(422), 200: {"content": {"application/json": {}, "text/csv": {}}}},
)
def get_manifest(
    group: Group,
    kind: Annotated[ManifestKind, Path(description="Of file", examples=["json"])],
    service: ServiceDependency,
) -> Response:
    """A list of the group's images with what they became, to keep beside the bundles."""
    rows = manifest_rows(service.groups.members(group))
    headers = {"Content-Disposition": f'attachment; filename="{group.id}.{kind}"', "Cache-Control": "private, no-cache"}
    if kind is ManifestKind.CSV:
        return Response(manifest_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)
    return Response(json.dumps({"group": group.id, "images": rows}), media_type="application/json", headers=headers)


@router.post(PATH + "/{id}/cancel", responses=NOT_FOUND)
def cancel_group(group: Group, service: ServiceDependency) -> GroupBody:
    """Stop all jobs of a group that have not ended. Those that have succeeded stay."""
    service.groups.cancel(group)
    return GroupBody.of(group, service.groups.members(group))


@router.delete(PATH + "/{id}", status_code=HTTPStatus.NO_CONTENT, responses=NOT_FOUND)
def delete_group(group: Group, service: ServiceDependency) -> None:
    """Remove a group with all its jobs, their pictures and bundles."""
    service.groups.delete(group)


@asynccontextmanager
async def _files(
    request: Request, options: EncodeOptions, settings: ApiSettings
) -> AsyncIterator[tuple[list[UploadedFile], EncodeOptions]]:
    """The request's files, on disk if they are large, and the options; the files are gone afterwards."""
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        async with open_form(request, settings.max_group_images) as form:
            uploads = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
            if not uploads:
                raise UnsupportedImage("the form has no file: send the images, or a ZIP of them, as files")
            yield [UploadedFile(each.filename, each.file) for each in uploads], with_fields(options, form)
        return
    with SpooledTemporaryFile(IN_MEMORY_BYTES) as body:
        async for chunk in request.stream():
            await run_in_threadpool(body.write, chunk)
        yield [UploadedFile(None, body)], options


def _all_refused(document: GroupDocument) -> Response:
    found = [{"field": entry.name, "message": entry.error_message or ""} for entry in document.entries]
    if any(entry.error_type == TABLE[TooBusy].type for entry in document.entries):
        return problem(TABLE[TooBusy], "none of the images was accepted: too much is outstanding", errors=found)
    return problem(NOTHING_ACCEPTED, f"none of the {len(found)} files is an image that can be encoded", errors=found)
