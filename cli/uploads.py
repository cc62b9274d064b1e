"""Many images to a server: in groups, and one by one what a group could not take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from regrow.client import FINAL_STATES, Client, ClientError, EncodeOptions, GroupImage, Job, Refused
from regrow.core.names import printable

GROUP_IMAGES = 100
GROUP_BYTES = 32 * 1024 * 1024
"""The most images and bytes that one request has; a single image may be larger."""

NONE = "no-image-accepted"
"""Type of problem: no image of the group was accepted."""

TOO_LARGE = "content-too-large"
"""Type of problem: the request has more bytes than the server takes."""

LATER = "too-many-patches"
"""Type of problem: the server would take the image when others are done."""


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
        return self.job_id is None or self.state in FINAL_STATES


def send(client: Client, files: Sequence[Path], options: EncodeOptions) -> dict[Path, Sent]:
    """Send them all; what failed before is tried again. Raises ClientError where the server cannot be used."""
    sent: dict[Path, Sent] = {}
    for batch in _batches(files, sent):
        sent |= _send_batch(client, batch, options)
    return sent


def _send_batch(client: Client, batch: Mapping[Path, bytes], options: EncodeOptions) -> dict[Path, Sent]:
    try:
        group = client.submit_group([(printable(file.name), data) for file, data in batch.items()], **options)
    except Refused as error:
        if error.type == TOO_LARGE:
            if len(batch) == 1:
                return dict.fromkeys(batch, _refused(str(error)))
            alone = [_send_batch(client, {file: data}, options) for file, data in batch.items()]
            return {file: one for sent in alone for file, one in sent.items()}
        if error.type not in (NONE, LATER) or not error.errors:
            raise
        return {file: _refused(each.message) for file, each in zip(batch, error.errors, strict=True)}
    return {
        file: _again_if_needed(client, batch[file], options, _of_item(item, group.id), item)
        for file, item in zip(batch, group.items, strict=True)
    }


def look(client: Client, waiting: Mapping[Path, Sent]) -> dict[Path, Sent]:
    """What has become of images that are on the way: one request per group. Raises ClientError."""
    groups = {image.group: client.group(image.group) for image in waiting.values() if image.group}
    items = {item.job: _of_item(item, group.id) for group in groups.values() for item in group.items if item.job}
    gone = _refused("the job was deleted")
    return {
        file: items.get(image.job_id or "", gone) if image.group else _of_job(client.job(image.job_id or ""))
        for file, image in waiting.items()
    }


def _again_if_needed(client: Client, data: bytes, options: EncodeOptions, image: Sent, item: GroupImage) -> Sent:
    try:
        if image.state in ("failed", "cancelled") and image.job_id:
            client.retry(image.job_id)
            return Sent(image.group, image.job_id, "queued", 0.0, None)
        deleted = image.job_id is None and item.error is None
        if deleted or (item.error is not None and item.error.type == LATER):
            return _of_job(client.submit(data, **options))
    except ClientError as error:
        return _refused(str(error))
    return image


def _batches(files: Sequence[Path], refused: dict[Path, Sent]) -> Iterator[dict[Path, bytes]]:
    """The files' bytes, as many as make a request. What cannot be sent is put with the refused."""
    batch: dict[Path, bytes] = {}
    for file in files:
        try:
            data = file.read_bytes()
        except OSError as error:
            refused[file] = _refused(error.strerror or str(error))
            continue
        if data.startswith(b"PK"):  # the server would take it for many images, whatever it is called
            refused[file] = _refused("this is an archive: send the images in it")
            continue
        if batch and (len(batch) == GROUP_IMAGES or sum(map(len, batch.values())) + len(data) > GROUP_BYTES):
            yield batch
            batch = {}
        batch[file] = data
    if batch:
        yield batch


def _of_item(item: GroupImage, group: str) -> Sent:
    return Sent(group, item.job, item.state, item.progress or 0.0, item.error.message if item.error else None)


def _of_job(job: Job) -> Sent:
    return Sent(None, job.id, job.state, job.progress, job.error.message if job.error else None)


def _refused(reason: str) -> Sent:
    return Sent(None, None, None, 0.0, reason)
