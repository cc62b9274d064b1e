"""What the OpenAPI document says of every route and error."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from regrow.api.app import create_app
from regrow.api.bodies import groups as group_schemas
from regrow.api.bodies import jobs as schemas
from regrow.api.bodies.examples import EXAMPLES
from regrow.api.errors import TABLE
from regrow.api.openapi import MEDIA_TYPE, OPEN_TO_ALL, problem_kinds
from regrow.core.codec.encode.report import Report

APP = create_app()
DOCUMENT = APP.openapi()
OPERATIONS = [
    pytest.param(path, operation, id=f"{method} {path}")
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]


def _models() -> dict[str, type[BaseModel]]:
    found = {"Report": Report}
    for module in (schemas, group_schemas):
        found |= {
            name: each for name, each in vars(module).items() if isinstance(each, type) and issubclass(each, BaseModel)
        }
    return found


@pytest.mark.parametrize(("path", "operation"), OPERATIONS)
def test_every_route_says_what_it_does(path: str, operation: dict[str, Any]) -> None:
    assert operation["description"]
    for parameter in operation.get("parameters", ()):
        described = parameter.get("description") or parameter["schema"].get("title")
        assert described, parameter
        if parameter["in"] == "path":
            assert {"example", "examples", "$ref"} & (parameter.keys() | parameter["schema"].keys()), parameter


@pytest.mark.parametrize(("path", "operation"), OPERATIONS)
def test_every_error_has_an_example_of_its_type(path: str, operation: dict[str, Any]) -> None:
    statuses = {int(status) for status in operation["responses"]}
    assert path in OPEN_TO_ALL or {401, 403} <= statuses
    for status, response in operation["responses"].items():
        if int(status) < 400:
            continue
        content = response["content"][MEDIA_TYPE]
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert content["examples"], f"no type of problem has the status {status}"
        for example in content["examples"].values():
            assert schemas.Problem.model_validate(example["value"]).status == int(status)
    assert "HTTPValidationError" not in str(operation)


@pytest.mark.parametrize(("path", "operation"), OPERATIONS)
def test_every_answer_has_an_example(path: str, operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        reference = schema.get("$ref") or schema.get("items", {}).get("$ref")
        if int(status) < 300 and reference:
            assert reference.rpartition("/")[2] in EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_of_their_model(name: str) -> None:
    model = _models()[name]
    assert model.model_validate(EXAMPLES[name]).model_dump(mode="json") == EXAMPLES[name]


def test_every_problem_is_documented() -> None:
    assert {kind.type for kind in TABLE.values()} <= problem_kinds().keys()
