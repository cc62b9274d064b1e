"""What routes say of their answers, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from regrow.api.bodies.jobs import Problem

Responses = dict[int | str, dict[str, Any]]
"""What FastAPI takes as a route's `responses`: a description of each answer by its status."""


def problems(*statuses: int) -> Responses:
    """That a route may answer with problems of these statuses."""
    return {status: {"model": Problem} for status in statuses}
