"""`/decode/<id>`: pictures, regrown."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from regrow.api.access import JobId, caller
from regrow.api.conditional import answer, is_known
from regrow.api.dependencies import Service, ServiceDependency
from regrow.api.negotiation import preferred_kind
from regrow.api.pictures import DECODER, PictureKind, StoredBundle
from regrow.api.responses import problems
from regrow.core.codec.decode.animation import AnimationKind
from regrow.core.codec.decode.view import LARGEST_SCALE, View, parse_box
from regrow.core.codec.picture_files import FileKind
from regrow.core.codec.rule import MOST_STEPS
from regrow.core.errors import InvalidSettings

router = APIRouter(tags=["decode"])

NO_PICTURE = problems(404, 409, 410, 422, 503)

Crop = Annotated[
    str | None,
    Query(
        description="`x,y,width,height` in pixels; only the patches it touches are regrown", examples=["40,40,80,80"]
    ),
]
Step = Annotated[int | None, Query(ge=0, le=MOST_STEPS, description="The state after so many steps; 0 is the seed")]
Scale = Annotated[int, Query(ge=1, le=LARGEST_SCALE, description="Pixels per pixel of the picture, along each side")]

Animate = Annotated[bool, Query(description="The growth from the seed instead, as an animation; of `.webp` only")]


def _answers(*kinds: str) -> dict[int | str, dict[str, object]]:
    return {**NO_PICTURE, 200: {"content": {kind: {} for kind in kinds}}, 304: {"description": "Not modified"}}


def _etag(bundle: StoredBundle, view: View, kind: PictureKind) -> str:
    """Strong: the bundle's hash, the decoder's version and all that was asked for."""
    asked = hashlib.sha256(f"{view} {type(kind).__name__} {kind}".encode()).hexdigest()[:12]
    return f'"{bundle.digest[:32]}-{DECODER}-{asked}"'


async def _answer(
    request: Request, service: Service, job_id: str, view: View, kind: PictureKind, **headers: str
) -> Response:
    """One short trip to Redis for what is known; only what has to be regrown waits for a core."""
    bundle = await run_in_threadpool(service.pictures.bundle, job_id)
    view.refuse_impossible(bundle.parsed.header)
    etag, file = _etag(bundle, view, kind), None
    if not is_known(request, etag):
        file = service.pictures.known(bundle, view, kind)
        if file is None:
            make = partial(service.pictures.file, bundle, view, kind)
            file = await to_thread.run_sync(make, limiter=service.slots.decodes)
    return answer(request, etag, kind.media_type, lambda: file or b"", **headers)


@router.post(
    "/decode",
    dependencies=[Depends(caller)],
    response_class=Response,
    responses={
        **problems(400, 408, 413, 415, 422),
        200: {"content": {kind.media_type: {} for kind in FileKind}},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def decode_upload(
    request: Request,
    service: ServiceDependency,
    kind: Annotated[FileKind, Query(description="Of the answer")] = FileKind.PNG,
    crop: Crop = None,
    step: Step = None,
    scale: Scale = 1,
) -> Response:
    """Regrow the picture of a bundle that is sent along. Nothing of it is kept."""
    data = await request.body()
    view = View(parse_box(crop), step, scale)
    make = partial(service.pictures.uploaded, data, view, kind, service.settings.image_limits)
    file = await to_thread.run_sync(make, limiter=service.slots.decodes)
    return Response(file, media_type=kind.media_type)


@router.get("/decode/{id}.gif", response_class=Response, responses=_answers("image/gif"))
async def decode_gif(
    request: Request, job_id: JobId, service: ServiceDependency, crop: Crop = None, scale: Scale = 1
) -> Response:
    """The picture's growth from the seed, as an animation of 256 colours; as WebP it has all of them."""
    return await _answer(request, service, job_id, View(parse_box(crop), None, scale), AnimationKind.GIF)


@router.get(
    "/decode/{id}.{kind}",
    response_class=Response,
    responses=_answers(*(kind.media_type for kind in FileKind)),
)
async def decode_file(
    request: Request,
    job_id: JobId,
    kind: Annotated[FileKind, Path(description="Of file", examples=["png"])],
    service: ServiceDependency,
    crop: Crop = None,
    step: Step = None,
    scale: Scale = 1,
    animate: Animate = False,
) -> Response:
    """Regrow the picture from its bundle, at exactly its original size, or a view of it; or show how it grows.

    PNG and WebP are without loss, JPEG is not.
    """
    if animate:
        if kind is not FileKind.WEBP or step is not None:
            raise InvalidSettings("animate is for .webp (or ask for .gif), and shows all steps: it goes with no step")
        return await _answer(request, service, job_id, View(parse_box(crop), None, scale), AnimationKind.WEBP)
    return await _answer(request, service, job_id, View(parse_box(crop), step, scale), kind)


@router.get("/decode/{id}", response_class=Response, responses=_answers("image/png", "image/webp", "image/jpeg"))
async def decode_negotiated(
    request: Request,
    job_id: JobId,
    service: ServiceDependency,
    crop: Crop = None,
    step: Step = None,
    scale: Scale = 1,
) -> Response:
    """As what `Accept` gives the most weight: WebP (without loss) or JPEG where it names them, else PNG."""
    kind = preferred_kind(", ".join(request.headers.getlist("accept")))
    return await _answer(request, service, job_id, View(parse_box(crop), step, scale), kind, Vary="Accept")
