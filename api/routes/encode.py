"""`POST /encode`."""

from __future__ import annotations

import asyncio
import re
import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from api.dependencies import Service, ServiceDependency
from api.routes.jobs import POLL_SECONDS
from api.schemas import JobBody, Problem
from api.submission import Order, submit
from core.codec.payload import Coder
from core.codec.presets import Effort, Preset
from core.codec.seeds import SeedKind
from core.codec.settings import MOST_BYTES, EncodeSettings
from core.errors import UnsupportedImage
from core.jobs.model import FINAL_STATES, Job, OnFailure, Priority

router = APIRouter(tags=["encode"])

IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$", description="Makes it safe to send this again"),
]

MOST_WAIT_SECONDS = 60
WAIT_POLL_SECONDS = 0.2
IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp")
_FILE = {"type": "string", "format": "binary"}


class EncodeOptions(BaseModel):
    """How to encode. The same picture, options and software give the same bundle."""

    model_config = ConfigDict(extra="forbid")

    preset: Preset = Field(default=Preset.SMALL, description="Size of the rules; with a target it is chosen per patch")
    effort: Effort = Field(default=Effort.DRAFT, description="How long to train")
    seed: SeedKind = Field(default=SeedKind.SCAFFOLD, description="The state that pictures are grown from")
    seed_number: int = Field(default=0, ge=0, lt=2**32, description="Of the random numbers used in training")

    coder: Coder = Field(default=Coder.ANS, description="How weights are written: entropy coded, or a byte each")
    target_psnr: float | None = Field(
        default=None, ge=10, le=55, description="dB to reach in as few bytes as possible; presets are chosen per patch"
    )
    max_bytes: int | None = Field(
        default=None,
        ge=1,
        le=MOST_BYTES,
        description="Of the whole file, for a picture as good as possible within it",
    )

    priority: Priority = Field(default=Priority.NORMAL, description="Between your own jobs")
    on_failure: OnFailure = Field(
        default=OnFailure.FAIL, description="If a patch cannot be fitted: fail, or give it one flat colour"
    )
    timeout: float | None = Field(
        default=None, ge=1, le=30 * 24 * 3600, description="Seconds after which the job is ended, done or not"
    )

    def order(self, idempotency_key: str | None) -> Order:
        job_fields = {"priority", "on_failure", "timeout"}
        return Order(
            EncodeSettings(**self.model_dump(exclude=job_fields)),
            **self.model_dump(include=job_fields),
            idempotency_key=idempotency_key,
        )


@router.post(
    "/encode",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        **{status: {"model": Problem} for status in (409, 413, 415, 422, 429, 503, 507)},
        200: {"model": JobBody, "description": "The job was waited for, and has ended"},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {media: {"schema": _FILE} for media in IMAGE_TYPES}
            | {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["image"],
                        "properties": {"image": _FILE} | EncodeOptions.model_json_schema()["properties"],
                    }
                }
            },
        }
    },
)
async def encode(
    request: Request,
    response: Response,
    service: ServiceDependency,
    options: Annotated[EncodeOptions, Query()],
    idempotency_key: IdempotencyKey = None,
    prefer: Annotated[str | None, Header(description="`wait=N`: answer when the job has ended, or after N s")] = None,
) -> JobBody:
    """Encode one image: the raw file as the body, or multipart with the file as `image`.

    Options are query parameters, or form fields in a multipart body. Answers at once: follow the job at `Location`.
    With `Prefer: wait=N` (RFC 7240) answers 200 with the job if it ends within N seconds, at most 60. With an
    Idempotency-Key, the same request sent again within a day answers with the job that the first one made.
    """
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        data, options = await _read_form(request, options)
    else:
        data = await request.body()
    job, replayed = await run_in_threadpool(submit, service, data, options.order(idempotency_key))
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = f"/jobs/{job.id}"
    seconds = _seconds_to_wait(prefer)
    if seconds:
        response.headers["Preference-Applied"] = f"wait={seconds}"
        job = await _wait(service, job, seconds)
    if seconds and job.state in FINAL_STATES:
        response.status_code = HTTPStatus.OK
    else:  # a replay too: it is the answer that the first request got
        response.headers["Retry-After"] = str(POLL_SECONDS)
    return JobBody.of(job)


def _seconds_to_wait(prefer: str | None) -> int:
    """What `Prefer` asks for, within limits; 0 where it asks for nothing that is known."""
    found = re.search(r"(?:^|[,;\s])wait=(\d{1,9})\b", prefer or "")
    return min(int(found.group(1)), MOST_WAIT_SECONDS) if found else 0


async def _wait(service: Service, job: Job, seconds: int) -> Job:
    """The job when it has ended, or as it is after so many seconds."""
    deadline = time.monotonic() + seconds
    while job.state not in FINAL_STATES and time.monotonic() < deadline:
        await asyncio.sleep(min(WAIT_POLL_SECONDS, deadline - time.monotonic()))
        job = await run_in_threadpool(service.jobs.get, job.id)
    return job


async def _read_form(request: Request, options: EncodeOptions) -> tuple[bytes, EncodeOptions]:
    """The image and the options of a multipart body; form fields win over query parameters."""
    _, parameters = parse_options_header(request.headers["content-type"])
    if parameters.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"us-ascii"):
        # RFC 7578 knows no such parameter. Starlette obeys it, and some of Python's codecs always fail or take minutes.
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the form's text must be UTF-8")
    async with request.form(max_files=1, max_fields=len(EncodeOptions.model_fields)) as form:
        image = next((value for value in form.values() if isinstance(value, UploadFile)), None)
        if image is None:
            raise UnsupportedImage("the form has no file: send the image as a file in a field named image")
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        try:
            options = EncodeOptions.model_validate(options.model_dump(exclude_unset=True) | fields)
        except ValidationError as error:
            raise RequestValidationError(
                [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
            ) from error
        return await image.read(), options
