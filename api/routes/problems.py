"""`/problems`: what the types of problems mean. A problem's `type` is one of these paths."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path

from regrow.api.bodies.jobs import ProblemKind
from regrow.api.openapi import problem_kinds
from regrow.api.responses import problems

router = APIRouter(tags=["problems"])


@router.get("/problems")
def list_problems() -> list[ProblemKind]:
    """Every type of problem that this service answers with."""
    return [ProblemKind.of(kind.type, kind.title, kind.status, text) for kind, text in problem_kinds().values()]


@router.get("/problems/{type}", responses=problems(404))
def get_problem(type: Annotated[str, Path(examples=["job-not-found"])]) -> ProblemKind:
    """What a type of problem means."""
    if type not in problem_kinds():
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such type of problem: /problems lists them")
    kind, text = problem_kinds()[type]
    return ProblemKind.of(kind.type, kind.title, kind.status, text)
