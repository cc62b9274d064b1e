"""Groups: many images that were sent together, one job each. What a group is, is in the blob store only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from regrow.core.errors import BlobNotFound, GroupNotFound, JobNotFound
from regrow.core.jobs.documents import Document
from regrow.core.jobs.lifecycle import Jobs
from regrow.core.jobs.links import group_path, manifest_path
from regrow.core.jobs.model import FINAL_STATES, Job, JobState, created_ms
from regrow.core.stores.blobs import BlobStore, delete_all
from regrow.core.times import now_ms
from regrow.core.webhooks.deliveries import Deliveries

GROUPS = "groups/"
OPEN_GROUPS = "open-groups/"
"""Under it, an empty object per group whose end somebody is to be told of."""

GRACE_MS = 3_600_000
"""A marker younger than this may be of a group that is still being sent."""


class GroupEntry(Document):
    """An image of a group. name: as it was sent, for people. job_id: None where the image was refused, with the
    reason."""

    name: str
    job_id: str | None = None
    error_type: str | None = None
    error_message: str | None = None


class GroupDocument(Document):
    """`groups/<id>/group.json`. created_ms: milliseconds since 1970. webhook: where to tell that all its jobs have
    ended. entries: its images, in the order in which they were sent. left_out: how many files of its archives an
    operating system had added, which are no entries."""

    id: str
    owner: str
    created_ms: int
    webhook: str | None = None
    entries: tuple[GroupEntry, ...]
    left_out: int = 0


MOST_GONE = 10_000
"""Deleted jobs that are remembered as such, which saves asking both stores for each of them: no id comes again."""


@dataclass(frozen=True, slots=True)
class Member:
    """An entry and its job; None where the image was refused, or the job was deleted."""

    entry: GroupEntry
    job: Job | None


class Groups:
    """Groups in the blob store, and their jobs. Methods raise ServiceUnavailable when a store cannot be reached."""

    def __init__(self, jobs: Jobs, blobs: BlobStore, deliveries: Deliveries) -> None:
        self._jobs, self._blobs, self._deliveries = jobs, blobs, deliveries
        self._gone: set[str] = set()

    def write(self, document: GroupDocument) -> None:
        """Store a group whose jobs are accepted."""
        if document.webhook is not None:
            self._blobs.put(f"{OPEN_GROUPS}{document.id}", b"")
        self._blobs.put(_key(document.id), document.model_dump_json().encode())

    def exists(self, group_id: str) -> bool:
        return self._blobs.exists(_key(group_id))

    def get(self, group_id: str) -> GroupDocument:
        """Raises GroupNotFound."""
        try:
            return GroupDocument.model_validate_json(self._blobs.get(_key(group_id)))
        except BlobNotFound as error:
            raise GroupNotFound(f"there is no group {group_id}") from error

    def members(self, document: GroupDocument) -> list[Member]:
        """Every image of the group and what became of it."""
        wanted = [entry.job_id for entry in document.entries if entry.job_id and entry.job_id not in self._gone]
        found = self._jobs.get_many(wanted)
        if len(self._gone) > MOST_GONE:
            self._gone.clear()
        self._gone.update(set(wanted) - found.keys())
        return [Member(entry, found.get(entry.job_id or "")) for entry in document.entries]

    def cancel(self, document: GroupDocument) -> None:
        """Stop every job that has not ended."""
        for member in self.members(document):
            if member.job is not None and member.job.state not in FINAL_STATES:
                self._jobs.cancel(member.job.id)

    def delete(self, document: GroupDocument) -> None:
        """Remove the group with its jobs, and all that is stored of them. What dies half-way may be done again."""
        for entry in document.entries:
            if entry.job_id:
                try:
                    self._jobs.delete(entry.job_id)
                except JobNotFound:  # by its owner, on its own
                    continue
        self._blobs.delete(f"{OPEN_GROUPS}{document.id}")
        delete_all(self._blobs, f"{GROUPS}{document.id}/")

    def announce_ended(self, group_id: str) -> None:
        """Tell that a group has ended, if it has; as often as it is called, once."""
        try:
            document = self.get(group_id)
        except GroupNotFound:  # one that is being written, or came to nothing
            if now_ms() - created_ms(group_id) > GRACE_MS:
                self._blobs.delete(f"{OPEN_GROUPS}{group_id}")
            return
        members = self.members(document)
        if not has_ended(members):
            return
        if document.webhook is not None:
            message, data = f"msg_{document.id}_ended", _told(document, members)
            self._deliveries.enqueue(message, document.owner, document.webhook, "group.ended", data)
        self._blobs.delete(f"{OPEN_GROUPS}{group_id}")

    def forget_if_empty(self, group_id: str) -> None:
        """Remove a group all of whose jobs were deleted."""
        document = self.get(group_id)
        if all(member.job is None for member in self.members(document)):
            self.delete(document)


def _told(document: GroupDocument, members: Sequence[Member]) -> dict[str, object]:
    states = [member.job.state for member in members if member.job is not None]
    return {
        "id": document.id,
        "images": len(members),
        "refused": sum(member.entry.job_id is None for member in members),
        "states": {str(state): states.count(state) for state in JobState if state in states},
        "links": {"self": group_path(document.id), "manifest": manifest_path(document.id)},
    }


def has_ended(members: Sequence[Member]) -> bool:
    """Whether no job of the group is on the way."""
    return all(member.job is None or member.job.state in FINAL_STATES for member in members)


def _key(group_id: str) -> str:
    return f"{GROUPS}{group_id}/group.json"
