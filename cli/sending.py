"""Many images to a server: in groups, and one by one what a group could not take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.client import ENDED, Client, RemoteItem, RemoteJob, ServerError

GROUP_IMAGES = 100
GROUP_BYTES = 32 * 1024 * 1024
"""Of one request; a single image may be larger."""

NONE = "no-image-accepted"
"""What a group is refused with of which no image was accepted."""

LATER = "too-many-patches"
"""What an image is refused with that the server would take when others are done."""

Options = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Sent:
    """An image and what has become of it. group: that it belongs to; job_id: None where it was refused."""

    group: str | None
    job_id: str | None
    state: str | None
    progress: float
    reason: str | None

    @property
    def has_ended(self) -> bool:
        return self.job_id is None or self.state in ENDED


def send(client: Client, files: Sequence[Path], options: Options) -> dict[Path, Sent]:
    """Send them all; what failed before is tried again. Raises ServerError where the server cannot be used."""
    archives = {file for file in files if _is_archive(file)}
    sent = dict.fromkeys(archives, _refused("this is an archive: send the images in it"))
    for batch in _batches([file for file in files if file not in archives]):
        try:
            group = client.make_group([(file.name, file.read_bytes()) for file in batch], options)
        except ServerError as error:
            if not str(error.problem.get("type")).endswith((NONE, LATER)) or not error.problem.get("errors"):
                raise
            reasons = [str(each["message"]) for each in error.problem["errors"]]  # one per file, in their order
            sent |= {file: _refused(reason) for file, reason in zip(batch, reasons, strict=True)}
            continue
        for file, item in zip(batch, group.items, strict=True):
            sent[file] = _again_if_needed(client, file, options, _of_item(item, group.id), item)
    return sent


def look(client: Client, waiting: Mapping[Path, Sent]) -> dict[Path, Sent]:
    """What has become of images that are on the way: one request per group. Raises ServerError."""
    groups = {image.group: client.group(image.group) for image in waiting.values() if image.group}
    items = {item.job: _of_item(item, group.id) for group in groups.values() for item in group.items if item.job}
    gone = _refused("the job was deleted")
    return {
        file: items.get(image.job_id, gone) if image.group else _of_job(client.job(image.job_id or ""))
        for file, image in waiting.items()
    }


def _again_if_needed(client: Client, file: Path, options: Options, image: Sent, item: RemoteItem) -> Sent:
    try:
        if image.state in ("failed", "cancelled") and image.job_id:
            client.retry(image.job_id)
            return Sent(image.group, image.job_id, "queued", 0.0, None)
        deleted = image.job_id is None and item.error is None
        if deleted or (item.error is not None and item.error.get("type") == LATER):
            return _of_job(client.encode(file.read_bytes(), options))
    except ServerError as error:
        return _refused(str(error))
    return image


def _is_archive(file: Path) -> bool:
    """Whether the server would take it for many images, whatever it is called."""
    with file.open("rb") as start:
        return start.read(2) == b"PK"


def _batches(files: Sequence[Path]) -> Iterator[list[Path]]:
    batch: list[Path] = []
    size = 0
    for file in files:
        bytes_ = file.stat().st_size
        if batch and (len(batch) == GROUP_IMAGES or size + bytes_ > GROUP_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += bytes_
    if batch:
        yield batch


def _of_item(item: RemoteItem, group: str) -> Sent:
    return Sent(group, item.job, item.state, item.progress or 0.0, item.error["message"] if item.error else None)


def _of_job(job: RemoteJob) -> Sent:
    return Sent(None, job.id, job.state, job.progress, job.error["message"] if job.error else None)


def _refused(reason: str) -> Sent:
    return Sent(None, None, None, 0.0, reason)
