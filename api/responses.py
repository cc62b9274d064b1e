"""What routes say of their answers, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from regrow.api.bodies.jobs import Problem

Responses = dict[int | str, dict[str, Any]]
"""By status, as FastAPI has it."""


def problems(*statuses: int) -> Responses:
    """Answers of problem+json."""
    return {status: {"model": Problem} for status in statuses}
