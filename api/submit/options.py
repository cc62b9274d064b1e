"""How to encode, as requests say it: query parameters, or fields of a form."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData

from regrow.api.strictness import refuse_unknown
from regrow.api.submit.submission import Order
from regrow.core.codec.coder import Coder
from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.seeds import SeedKind
from regrow.core.codec.settings import MOST_BYTES, EncodeSettings
from regrow.core.errors import InvalidSettings
from regrow.core.jobs.model import OnFailure, Priority
from regrow.core.webhooks.address import Networks, parse_target

IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$", description="Makes it safe to send this again"),
]

IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp")
FILE = {"type": "string", "format": "binary"}


class EncodeOptions(BaseModel):
    """How to encode. The same picture, options and software give the same bundle."""

    model_config = ConfigDict(extra="forbid")

    preset: Preset = Field(default=Preset.SMALL, description="Size of the rules; a target chooses it per patch instead")
    effort: Effort | None = Field(
        default=None,
        description="How long to train; by default standard where that takes about a minute on two cores, else draft",
    )
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

    webhook: str | None = Field(
        default=None, max_length=2048, description="Where to tell that the job, or the group, has ended"
    )

    def order(self, idempotency_key: str | None, networks: Networks) -> Order:
        """networks: that webhooks may call although they are not public.

        Raises RequestValidationError.
        """
        if "preset" in self.model_fields_set and (self.target_psnr is not None or self.max_bytes is not None):
            target = "max_bytes" if self.target_psnr is None else "target_psnr"
            words = f"preset and {target} exclude each other: a target chooses each patch's preset"
            raise RequestValidationError([{"loc": ("query", "preset"), "msg": words}])
        if self.webhook is not None:
            try:
                parse_target(self.webhook, networks)
            except InvalidSettings as error:
                raise RequestValidationError([{"loc": ("query", "webhook"), "msg": str(error)}]) from error
        job_fields = {"priority", "on_failure", "timeout", "webhook"}
        settings = EncodeSettings(**self.model_dump(exclude=job_fields | {"effort"}))
        if self.effort is not None:
            settings = replace(settings, effort=self.effort)
        return Order(
            settings,
            self.effort is None,
            **self.model_dump(include=job_fields),
            idempotency_key=idempotency_key,
        )


def open_form(request: Request, max_files: int) -> AbstractAsyncContextManager[FormData]:
    """The request's form, whose files are gone when it is closed. Raises HTTPException."""
    _, parameters = parse_options_header(request.headers["content-type"])
    if parameters.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"us-ascii"):
        # RFC 7578 knows no such parameter. Starlette obeys it, and some of Python's codecs always fail or take minutes.
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the form's text must be UTF-8")
    return request.form(max_files=max_files, max_fields=len(EncodeOptions.model_fields))


def with_fields(options: EncodeOptions, form: FormData) -> EncodeOptions:
    """The options with a form's fields, which win over query parameters. Raises RequestValidationError."""
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    refuse_unknown("body", fields, EncodeOptions.model_fields)
    try:
        return EncodeOptions.model_validate(options.model_dump(exclude_unset=True) | fields)
    except ValidationError as error:
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in error.errors()]) from error


def _properties() -> dict[str, Any]:
    schema = EncodeOptions.model_json_schema(ref_template="#/components/schemas/{model}")
    properties: dict[str, Any] = schema["properties"]
    return properties


def body_schema(files: dict[str, Any], types: tuple[str, ...]) -> dict[str, Any]:
    """What OpenAPI says of a body: a raw file of one of the types, or a form with these files and the options."""
    form = {
        "type": "object",
        "required": list(files),
        "properties": files | _properties(),
    }
    raw = {media: {"schema": FILE} for media in types}
    return {"requestBody": {"required": True, "content": raw | {"multipart/form-data": {"schema": form}}}}
