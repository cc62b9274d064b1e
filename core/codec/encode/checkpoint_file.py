"""The bytes of an encode's checkpoint: a JSON header and arrays, behind a checksum.

    magic "RGCK", CRC-32 of all that follows, length of the header; the header, UTF-8; the arrays' values, little-endian

The header says what the checkpoint is of (format, release, fingerprint of the task), where the encode is among its
presets (preset, waiting, candidates, iterations), where the running fit is (engine, running, fit_stages), and, in its
entry "arrays", each array's name, type and shape, in the order of their values. Reading allocates nothing: arrays are
views of the bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from regrow.core.codec.encode.candidate import CandidateDocument
from regrow.core.codec.encode.patch_fits import fit_task
from regrow.core.codec.encode.progress import Progress
from regrow.core.codec.fit.checkpoint import Arrays, FitCheckpoint, damage_as_error, with_prefix, without_prefix
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Preset
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import DamagedCheckpoint
from regrow.core.version import VERSION

FORMAT = 3
MAGIC = b"RGCK"
_HEAD = struct.Struct("<4sII")
_TYPES = ("<f4", "<f8", "<i8", "|i1", "|b1")


def fingerprint(picture: Picture, indices: Sequence[int], settings: EncodeSettings, presets: Sequence[Preset]) -> str:
    """A SHA-256 of all that decides what is fitted: settings, presets, and the first preset's task with its pixels."""
    task = fit_task(picture, indices, settings, presets[0])
    shapes = [preset.shape(picture.channels) for preset in presets]
    digest = hashlib.sha256(repr((settings, shapes, replace(task, targets=None))).encode())  # type: ignore[arg-type]
    for array in (task.targets.pixels, task.targets.extents):
        digest.update(repr(array.shape).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_checkpoint(task: str, progress: Progress, fit: FitCheckpoint) -> bytes:
    """The bytes of an encode's state. task: its fingerprint."""
    arrays: Arrays = {}
    for stage, of_stage in fit.stages.items():
        arrays |= with_prefix(stage, of_stage)
    header = {
        "format": FORMAT,
        "release": VERSION,
        "task": task,
        "preset": progress.preset,
        "waiting": progress.waiting,
        "candidates": [[CandidateDocument.of(each).model_dump() for each in some] for some in progress.candidates],
        "iterations": progress.iterations,
        "engine": fit.engine,
        "running": fit.running,
        "fit_stages": list(fit.stages),
    }
    return pack(header, arrays)


def read_checkpoint(data: bytes, task: str, presets: int, patches: int) -> tuple[Progress, FitCheckpoint]:
    """The opposite, for a task of so many presets and patches. Raises DamagedCheckpoint."""
    header, arrays = unpack(data)
    with damage_as_error():
        for name, expected in {"format": FORMAT, "release": VERSION, "task": task}.items():
            if header[name] != expected:
                raise DamagedCheckpoint(f"it is of another {name}: {header[name]}, not {expected}")
        candidates = [
            [CandidateDocument.model_validate(each).candidate() for each in some] for some in header["candidates"]
        ]
        progress = Progress(header["preset"], header["waiting"], candidates, header["iterations"])
        stages = {stage: without_prefix(stage, arrays) for stage in header["fit_stages"]}
        if len(progress.candidates) != patches or not set(progress.waiting) <= set(range(patches)):
            raise DamagedCheckpoint(f"it is not of {patches} patches")
        if progress.preset not in range(presets) or not progress.waiting or header["running"] not in stages:
            raise DamagedCheckpoint("it has nothing to go on with")
        return progress, FitCheckpoint(header["engine"], header["running"], stages)


def pack(header: dict[str, Any], arrays: Arrays) -> bytes:
    """The bytes of a header without an entry "arrays", and of arrays of the types above."""
    listed = [(name, array.dtype.str, array.shape) for name, array in arrays.items()]
    written = json.dumps({**header, "arrays": listed}).encode()
    parts = [written, *(array.tobytes() for array in arrays.values())]
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return b"".join([_HEAD.pack(MAGIC, checksum, len(written)), *parts])


def unpack(data: bytes) -> tuple[dict[str, Any], Arrays]:
    """The header and the arrays, read-only. Raises DamagedCheckpoint."""
    if len(data) < _HEAD.size or not data.startswith(MAGIC):
        raise DamagedCheckpoint("it is not a checkpoint")
    _, checksum, length = _HEAD.unpack_from(data)
    body = memoryview(data)[_HEAD.size :]
    if zlib.crc32(body) != checksum:
        raise DamagedCheckpoint("its checksum is wrong")
    with damage_as_error():
        header: dict[str, Any] = json.loads(bytes(body[:length]))
        arrays, start = {}, length
        for name, kind, shape in header.pop("arrays"):
            if kind not in _TYPES or any(type(size) is not int or size < 0 for size in shape):
                raise DamagedCheckpoint(f"its array {name} cannot be")
            end = start + np.dtype(kind).itemsize * math.prod(shape)
            arrays[name] = np.frombuffer(body[start:end], dtype=kind).reshape(shape)
            start = end
        if start != len(body):
            raise DamagedCheckpoint("its length is wrong")
        return header, arrays
