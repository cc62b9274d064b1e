"""A learner on disk: arrays without pickle, written whole or not at all."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch

from regrow.core.codec.learn.photos import Photo
from regrow.core.codec.learn.shape import ModelShape
from regrow.core.codec.learn.training import Learner, TrainSettings
from regrow.core.errors import DamagedCheckpoint, InvalidSettings

FORMAT = 1
_MOMENTS = ("exp_avg", "exp_avg_sq")


def save(path: Path, learner: Learner, notes: dict[str, Any]) -> None:
    """Write all that is needed to go on. notes: what else shall be kept, as JSON can hold it."""
    arrays: dict[str, np.ndarray] = {}
    for name, value in learner.network.state_dict().items():
        arrays[f"network/{name}"] = value.cpu().numpy()
    for name, value in learner.average.state_dict().items():
        arrays[f"average/{name}"] = value.cpu().numpy()
    for name, parameter in learner.network.named_parameters():
        state = learner.optimizer.state.get(parameter, {})
        for moment in _MOMENTS:
            if moment in state:
                arrays[f"{moment}/{name}"] = state[moment].cpu().numpy()
    head = {
        "format": FORMAT,
        "iteration": learner.iteration,
        "shape": asdict(learner.network.shape),
        "seed": learner.settings.seed,
        "photos": [photo.sha256 for photo in learner.photos],
        "notes": notes,
    }
    arrays["head"] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    partial = path.with_suffix(".partial")
    partial.write_bytes(buffer.getvalue())
    partial.replace(path)


def load(
    path: Path, settings: TrainSettings, photos: Sequence[Photo], device: str = "cpu"
) -> tuple[Learner, dict[str, Any]]:
    """The learner that was saved, and its notes.

    Raises DamagedCheckpoint; InvalidSettings where it learned from other photos or began from other random numbers.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        head = json.loads(arrays.pop("head").tobytes())
        if head["format"] != FORMAT:
            raise DamagedCheckpoint(f"{path}: a checkpoint of format {head['format']}, not {FORMAT}")
        if head["seed"] != settings.seed or head["photos"] != [photo.sha256 for photo in photos]:
            raise InvalidSettings(f"{path}: begun with other photos or another seed; name another folder to begin anew")
        learner = Learner(ModelShape.of(head["shape"]), settings, photos, device)
        _restore(learner, arrays, int(head["iteration"]))
        notes: dict[str, Any] = head["notes"]
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, BadZipFile) as error:
        raise DamagedCheckpoint(f"{path}: the checkpoint cannot be read: {error}") from error
    return learner, notes


def _restore(learner: Learner, arrays: dict[str, np.ndarray], iteration: int) -> None:
    def part(name: str) -> dict[str, torch.Tensor]:
        prefix = name + "/"
        found = {key[len(prefix) :]: value for key, value in arrays.items() if key.startswith(prefix)}
        return {key: torch.from_numpy(value).to(learner.device) for key, value in found.items()}

    learner.network.load_state_dict(part("network"))
    learner.average.load_state_dict(part("average"))
    learner.iteration = iteration
    moments = {moment: part(moment) for moment in _MOMENTS}
    for name, parameter in learner.network.named_parameters():
        if name in moments[_MOMENTS[0]]:
            state: dict[str, Any] = {moment: moments[moment][name] for moment in _MOMENTS}
            learner.optimizer.state[parameter] = {"step": torch.tensor(float(iteration)), **state}
