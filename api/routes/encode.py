"""`POST /encode`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from api.dependencies import ServiceDependency
from api.schemas import JobBody, Problem
from api.submission import submit
from core.codec.payload import Coder
from core.codec.presets import Effort, Preset
from core.codec.seeds import SeedKind
from core.codec.settings import MOST_BYTES, EncodeSettings
from core.errors import UnsupportedImage

router = APIRouter(tags=["encode"])

POLL_SECONDS = 1
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

    def settings(self) -> EncodeSettings:
        return EncodeSettings(**self.model_dump())


@router.post(
    "/encode",
    status_code=HTTPStatus.ACCEPTED,
    responses={status: {"model": Problem} for status in (413, 415, 422, 503)},
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
    request: Request, response: Response, service: ServiceDependency, options: Annotated[EncodeOptions, Query()]
) -> JobBody:
    """Encode one image: the raw file as the body, or multipart with the file as `image`.

    Options are query parameters, or form fields in a multipart body. Answers at once; follow the job at `Location`.
    """
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        data, options = await _read_form(request, options)
    else:
        data = await request.body()
    job = await run_in_threadpool(submit, service, data, options.settings())
    response.headers["Location"] = f"/jobs/{job.id}"
    response.headers["Retry-After"] = str(POLL_SECONDS)
    return JobBody.of(job)


async def _read_form(request: Request, options: EncodeOptions) -> tuple[bytes, EncodeOptions]:
    """The image and the options of a multipart body; form fields win over query parameters."""
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
