"""The OpenAPI document, made true where FastAPI's own cannot know better: problems and their examples, keys."""

from __future__ import annotations

import inspect
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from regrow.api.bodies.examples import EXAMPLES
from regrow.api.bodies.jobs import Problem
from regrow.api.errors import FRAMEWORK_TYPES, OTHER_KINDS, TABLE, ProblemType

MEDIA_TYPE = "application/problem+json"
OPEN_TO_ALL = frozenset({"/livez", "/readyz", "/problems", "/problems/{type}"})
"""Paths that answer without an API key."""

_ALWAYS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def sentence_of(error: type[Exception]) -> str:
    """The first line of what an error's class says of itself."""
    return (inspect.getdoc(error) or "").partition("\n")[0]


def problem_kinds() -> dict[str, tuple[ProblemType, str]]:
    """Every type of problem there is, with a sentence for people."""
    found = {kind.type: (kind, sentence_of(error)) for error, kind in reversed(TABLE.items())}
    found |= {kind.type: (kind, sentence) for kind, sentence in OTHER_KINDS}
    for status, name in FRAMEWORK_TYPES.items():
        found.setdefault(name, (ProblemType(HTTPStatus(status), name), HTTPStatus(status).description))
    return dict(sorted(found.items()))


def install_openapi(app: FastAPI) -> None:
    """Have the application's document completed when it is first asked for."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(generate())
        document: dict[str, Any] = app.openapi_schema or {}
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
    by_status: dict[int, list[tuple[ProblemType, str]]] = {}
    for kind, sentence in problem_kinds().values():
        by_status.setdefault(kind.status, []).append((kind, sentence))
    for path, operations in document["paths"].items():
        for operation in operations.values():
            statuses = {int(status) for status in operation["responses"] if int(status) >= 400}
            statuses.add(int(HTTPStatus.UNPROCESSABLE_ENTITY))  # every route refuses parameters that it has not
            if path not in OPEN_TO_ALL:
                statuses |= set(map(int, _ALWAYS))
            for status in sorted(statuses):
                described = operation["responses"].get(str(status), {}).get("description", "")
                operation["responses"][str(status)] = _problem_response(status, described, by_status.get(status, []))


def _problem_response(status: int, description: str, kinds: list[tuple[ProblemType, str]]) -> dict[str, Any]:
    examples = {kind.type: {"summary": sentence, "value": _example(kind, sentence)} for kind, sentence in kinds}
    own = description and description not in ("Validation Error", HTTPStatus(status).phrase)
    return {
        "description": description if own else HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}},
    }


def _example(kind: ProblemType, sentence: str) -> dict[str, Any]:
    errors = [{"field": "preset", "message": "Input should be 'small'"}] if kind.type == "invalid-option" else []
    return Problem(
        type=f"/problems/{kind.type}", title=kind.title, status=kind.status, detail=sentence, errors=errors
    ).model_dump()
