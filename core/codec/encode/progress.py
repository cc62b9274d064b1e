"""Where an encode of a batch of patches is on its ladder of presets, and how that becomes a checkpoint's bytes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from regrow.core.codec.encode.candidate import Candidate
from regrow.core.codec.encode.patch_fits import fit_task
from regrow.core.codec.fit.checkpoint import Arrays, FitCheckpoint, damage_as_error, with_prefix, without_prefix
from regrow.core.codec.fit.checkpoint_file import pack, unpack
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Preset
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import DamagedCheckpoint
from regrow.core.version import VERSION

FORMAT = 2


@dataclass(frozen=True, slots=True)
class Ladder:
    """stage: number of the preset that is fitted. waiting: places in the batch of the patches that it is fitted for.

    candidates: of each patch, from the stages before; iterations: of those stages, summed over the patches.
    """

    stage: int
    waiting: list[int]
    candidates: list[list[Candidate]]
    iterations: int

    @classmethod
    def bottom(cls, patches: int) -> Ladder:
        return cls(0, list(range(patches)), [[] for _ in range(patches)], 0)


def fingerprint(picture: Picture, indices: Sequence[int], settings: EncodeSettings, presets: Sequence[Preset]) -> str:
    """Of all that decides what is fitted: settings, presets, and the first preset's task with its pixels."""
    task = fit_task(picture, indices, settings, presets[0])
    shapes = [preset.shape(picture.channels) for preset in presets]
    digest = hashlib.sha256(repr((settings, shapes, replace(task, targets=None))).encode())  # type: ignore[arg-type]
    for array in (task.targets.pixels, task.targets.extents):
        digest.update(repr(array.shape).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_checkpoint(task: str, ladder: Ladder, fit: FitCheckpoint) -> bytes:
    """The bytes of an encode's state. task: its fingerprint."""
    arrays: Arrays = {}
    for stage, of_stage in fit.stages.items():
        arrays |= with_prefix(stage, of_stage)
    header = {
        "format": FORMAT,
        "release": VERSION,
        "task": task,
        "stage": ladder.stage,
        "waiting": ladder.waiting,
        "candidates": [[_to_json(each) for each in some] for some in ladder.candidates],
        "iterations": ladder.iterations,
        "engine": fit.engine,
        "running": fit.running,
        "fit_stages": list(fit.stages),
    }
    return pack(header, arrays)


def read_checkpoint(data: bytes, task: str, presets: int, patches: int) -> tuple[Ladder, FitCheckpoint]:
    """The opposite, for a task of so many presets and patches. Raises DamagedCheckpoint."""
    header, arrays = unpack(data)
    with damage_as_error():
        for name, expected in {"format": FORMAT, "release": VERSION, "task": task}.items():
            if header[name] != expected:
                raise DamagedCheckpoint(f"it is of another {name}: {header[name]}, not {expected}")
        candidates = [[_from_json(each) for each in some] for some in header["candidates"]]
        ladder = Ladder(header["stage"], header["waiting"], candidates, header["iterations"])
        stages = {stage: without_prefix(stage, arrays) for stage in header["fit_stages"]}
        if len(ladder.candidates) != patches or not set(ladder.waiting) <= set(range(patches)):
            raise DamagedCheckpoint(f"it is not of {patches} patches")
        if ladder.stage not in range(presets) or not ladder.waiting or header["running"] not in stages:
            raise DamagedCheckpoint("it has nothing to go on with")
        return ladder, FitCheckpoint(header["engine"], header["running"], stages)


def _to_json(candidate: Candidate) -> list[object]:
    shape = candidate.shape
    payload = base64.b64encode(candidate.payload).decode()
    return [shape.channels, shape.hidden, shape.visible, payload, candidate.error]


def _from_json(values: list[object]) -> Candidate:
    *sizes, payload, error = values
    return Candidate(RuleShape(*sizes), base64.b64decode(payload), error)  # type: ignore[arg-type]
