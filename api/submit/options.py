"""How to encode, as requests say it: query parameters, or fields of a form."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData

from regrow.api.strictness import refuse_unknown
from regrow.api.submit.submission import Order
from regrow.core.codec.options import CodecOptions, OptionConflict
from regrow.core.errors import InvalidSettings
from regrow.core.jobs.model import OnFailure, Priority
from regrow.core.webhooks.address import Networks, parse_target

IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$", description="Makes it safe to send this again"),
]

IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp")
FILE = {"type": "string", "format": "binary"}


class EncodeOptions(CodecOptions):
    """How to encode. The same picture, options and software give the same bundle."""

    priority: Priority = Field(default=Priority.NORMAL, description="Between your own jobs")
    on_failure: OnFailure = Field(
        default=OnFailure.FAIL, description="If a patch cannot be fitted: fail, or give it one flat colour"
    )
    timeout: float | None = Field(
        default=None, ge=1, le=30 * 24 * 3600, description="Seconds that the job may run, from when a worker begins it"
    )
    start_timeout: float | None = Field(
        default=None, ge=1, le=30 * 24 * 3600, description="Seconds that the job may wait for a worker to begin it"
    )

    webhook: str | None = Field(
        default=None, max_length=2048, description="Where to tell that the job, or the group, has ended"
    )

    def order(self, idempotency_key: str | None, networks: Networks) -> Order:
        """networks: that webhooks may call although they are not public.

        Raises RequestValidationError.
        """
        if self.preset is not None and (self.target_psnr is not None or self.max_bytes is not None):
            target = "max_bytes" if self.target_psnr is None else "target_psnr"
            words = f"preset and {target} exclude each other: a target chooses each patch's preset"
            raise RequestValidationError([{"loc": ("query", "preset"), "msg": words}])
        try:
            settings = self.settings()
        except OptionConflict as error:
            raise RequestValidationError([{"loc": ("query", error.option), "msg": str(error)}]) from error
        if self.webhook is not None:
            try:
                parse_target(self.webhook, networks)
            except InvalidSettings as error:
                raise RequestValidationError([{"loc": ("query", "webhook"), "msg": str(error)}]) from error
        return Order(
            settings,
            self.effort is None,
            **self.model_dump(exclude=set(CodecOptions.model_fields)),
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
