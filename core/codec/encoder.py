"""Encoding a batch of patches: fit them, with ever larger presets where a target asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.codec.allocation import Candidate, front
from core.codec.budget import presets_of
from core.codec.codec import candidates_of, fit_task, is_good_enough
from core.codec.fit import Fitted
from core.codec.fit_task import FitHooks, FitProgress, FitTask
from core.codec.images import Picture
from core.codec.settings import EncodeSettings

Fitter = Callable[[FitTask, FitHooks], Fitted]


@dataclass(frozen=True, slots=True)
class EncodedPatches:
    """candidates: of each patch asked for, those that can be chosen. patch_iterations: summed over the patches."""

    candidates: list[list[Candidate]]
    patch_iterations: int


def encode_patches(
    picture: Picture,
    indices: Sequence[int],
    settings: EncodeSettings,
    fitter: Fitter,
    hooks: FitHooks,
    checkpoints: object = None,
) -> EncodedPatches:
    """All candidates for the patches named, with `fitter` doing the fits.

    Raises FitStopped when the hooks ask for it, BudgetTooSmall where no preset fits.
    """
    presets = presets_of(picture, settings)
    candidates: list[list[Candidate]] = [[] for _ in indices]
    progress = _Progress(hooks, len(indices), len(presets))
    waiting, iterations = list(range(len(indices))), 0
    for stage, preset in enumerate(presets):
        task = fit_task(picture, [indices[place] for place in waiting], settings, preset)
        fitted = fitter(task, replace(hooks, on_progress=progress.of(stage, waiting)))
        iterations += int(fitted.iterations.sum())
        found = candidates_of(task, fitted, settings)
        for place, some in zip(waiting, found, strict=True):
            candidates[place] += some
        waiting = [
            place
            for number, place in enumerate(waiting)
            if not is_good_enough(task, number, candidates[place], settings)
        ]
        if not waiting:
            break
    progress.end()
    return EncodedPatches([front(some) for some in candidates], iterations)


class _Progress:
    """One progress of all patches over all presets."""

    def __init__(self, hooks: FitHooks, patches: int, stages: int) -> None:
        self._hooks, self._stages = hooks, stages
        self._share = np.zeros(patches)
        self._mse = np.ones(patches, dtype=np.float32)

    def of(self, stage: int, places: Sequence[int]) -> Callable[[FitProgress], None]:
        """Takes the progress of one stage's fit, of the patches at these places; the others have all of it."""
        waiting = np.array(places)
        self._share[:] = 1.0

        def tell(progress: FitProgress) -> None:
            self._share[waiting] = (stage + progress.share) / self._stages
            self._mse[waiting] = np.minimum(self._mse[waiting], progress.mse)
            self._hooks.on_progress(FitProgress(self._share.copy(), self._mse.copy()))

        return tell

    def end(self) -> None:
        self._hooks.on_progress(FitProgress(np.ones(len(self._share)), self._mse))
