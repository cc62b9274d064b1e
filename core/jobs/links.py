"""Paths of the HTTP API, which is all that the core knows of it.

They are here, and not in the API, because webhooks cite them: their bodies are written by whichever process ends a job,
and a worker or a sweeper knows no API.
"""

from __future__ import annotations


def job_path(job_id: str) -> str:
    """Of a job; what belongs to it is below."""
    return f"/jobs/{job_id}"


def bundle_path(job_id: str) -> str:
    """Of a job's bundle."""
    return f"{job_path(job_id)}/bundle"


def picture_path(job_id: str, kind: str = "png") -> str:
    """Of a job's picture, regrown. kind: the file's suffix; `gif` shows it growing."""
    return f"/decode/{job_id}.{kind}"


def group_path(group_id: str) -> str:
    """Of a group; what belongs to it is below."""
    return f"/groups/{group_id}"


def manifest_path(group_id: str) -> str:
    """Of the list of a group's images, as JSON."""
    return f"{group_path(group_id)}/manifest.json"
