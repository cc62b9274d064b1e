"""What the API says of groups."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from pydantic import BaseModel

from regrow.api.asgi.prefix import below_prefix
from regrow.api.bodies.jobs import JobErrorBody
from regrow.core.jobs.groups import GroupDocument, Member, has_ended
from regrow.core.jobs.links import bundle_path, group_path, manifest_path, picture_path
from regrow.core.jobs.model import Job, JobState
from regrow.core.times import iso


class GroupItem(BaseModel):
    """An image of a group. job: null where the image was refused (`error` says why), or its job was deleted."""

    name: str
    job: str | None
    state: JobState | None
    progress: float | None
    patches_done: int | None
    patches_total: int | None
    psnr: float | None
    bytes: int | None
    error: JobErrorBody | None
    picture: str | None
    bundle: str | None

    @classmethod
    def of(cls, member: Member) -> GroupItem:
        job, entry = member.job, member.entry
        reason = (entry.error_type, entry.error_message) if entry.error_type else None
        if job is not None and job.error is not None:
            reason = (job.error.type, job.error.message)
        return cls(
            name=entry.name,
            job=job.id if job else None,
            state=job.state if job else None,
            progress=_progress(job) if job else None,
            patches_done=job.patches_done if job else None,
            patches_total=job.patches_total if job else None,
            psnr=job.psnr if job else None,
            bytes=job.bytes if job else None,
            error=JobErrorBody(type=reason[0], message=reason[1] or "") if reason else None,
            picture=below_prefix(picture_path(job.id)) if job else None,
            bundle=below_prefix(bundle_path(job.id)) if job else None,
        )


class GroupLinks(BaseModel):
    """Paths on this server."""

    self: str
    manifest: str
    cancel: str


class GroupBody(BaseModel):
    """Many images that were sent together. ended: whether no job is on the way any more. progress: share of the work
    of the accepted images that is done, 0 to 1. states: how many jobs are in which; refused: how many images have no
    job; left_out: how many files of its archives were not looked at, since an operating system had added them (macOS's
    `__MACOSX/` and `._x`, hidden files, `Thumbs.db`); bytes: of all bundles so far. items: in the order in which they
    were sent.
    """

    id: str
    owner: str
    created_at: str
    ended: bool
    images: int
    refused: int
    left_out: int
    states: dict[JobState, int]
    patches_done: int
    patches_total: int
    progress: float
    bytes: int
    eta_seconds: float | None
    items: list[GroupItem]
    links: GroupLinks

    @classmethod
    def of(cls, document: GroupDocument, members: Sequence[Member]) -> GroupBody:
        jobs = [member.job for member in members if member.job is not None]
        states = [job.state for job in jobs]
        total = sum(job.patches_total for job in jobs)
        estimates = [job.eta_seconds for job in jobs if job.eta_seconds is not None]
        path = below_prefix(group_path(document.id))
        return cls(
            id=document.id,
            owner=document.owner,
            created_at=iso(document.created_ms),
            ended=has_ended(members),
            images=len(members),
            refused=sum(member.entry.job_id is None for member in members),
            left_out=document.left_out,
            states={state: states.count(state) for state in JobState if state in states},
            patches_done=sum(job.patches_done for job in jobs),
            patches_total=total,
            progress=sum(_progress(job) * job.patches_total for job in jobs) / total if total else 1.0,
            bytes=sum(job.bytes or 0 for job in jobs),
            eta_seconds=max(estimates) if estimates and JobState.QUEUED not in states else None,
            items=[GroupItem.of(member) for member in members],
            links=GroupLinks(self=path, manifest=below_prefix(manifest_path(document.id)), cancel=f"{path}/cancel"),
        )


def _progress(job: Job) -> float:
    return 1.0 if job.state is JobState.SUCCEEDED else job.progress


MANIFEST_COLUMNS = ("name", "job", "state", "width", "height", "psnr", "bytes", "picture", "bundle", "error")


def manifest_rows(members: Sequence[Member]) -> list[dict[str, str | int | float | None]]:
    """One row per image: what it became, and where."""
    rows = []
    for member in members:
        item = GroupItem.of(member)
        done = member.job is not None and member.job.state is JobState.SUCCEEDED
        rows.append(
            {
                **item.model_dump(include={"name", "job", "state", "psnr", "bytes"}),
                "width": member.job.width if member.job else None,
                "height": member.job.height if member.job else None,
                "picture": item.picture if done else None,
                "bundle": item.bundle if done else None,
                "error": item.error.message if item.error else None,
            }
        )
    return rows


def manifest_csv(rows: Sequence[dict[str, str | int | float | None]]) -> str:
    """As RFC 4180, with a byte order mark, without which Excel garbles accents.

    Names that a spreadsheet would take for a formula begin with an apostrophe.
    """
    out = io.StringIO(newline="")
    out.write("\ufeff")
    writer = csv.DictWriter(out, MANIFEST_COLUMNS)
    writer.writeheader()
    for row in rows:
        name = str(row["name"])
        writer.writerow({**row, "name": f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name})
    return out.getvalue()
