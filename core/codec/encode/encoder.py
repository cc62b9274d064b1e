"""Encoding a batch of patches: fit them, with ever larger presets where a target asks for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from regrow.core.codec.encode.allocation import front
from regrow.core.codec.encode.candidate import Candidate
from regrow.core.codec.encode.patch_fits import candidates_of, fit_task, is_good_enough
from regrow.core.codec.encode.plan import presets_of
from regrow.core.codec.encode.progress import Ladder, fingerprint, read_checkpoint, write_checkpoint
from regrow.core.codec.fit.checkpoint import Checkpoints, FitCheckpoint
from regrow.core.codec.fit.fitting import Fitted
from regrow.core.codec.fit.task import FitHooks, FitProgress, FitTask
from regrow.core.codec.images import Picture
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import DamagedCheckpoint

log = logging.getLogger("regrow.codec")

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
    checkpoints: Checkpoints[bytes] | None = None,
) -> EncodedPatches:
    """All candidates for the patches named, with `fitter` doing the fits.

    Where the checkpoints have something to go on with, the result is that of an encode that nobody interrupted. Raises
    FitStopped when the hooks ask for it, BudgetTooSmall where no preset fits.
    """
    checkpoints = checkpoints or Checkpoints()
    encode = _Encode(picture, indices, settings, fitter, hooks, checkpoints)
    if checkpoints.resume is not None:
        try:
            return encode.run(*encode.read(checkpoints.resume))
        except DamagedCheckpoint as error:
            log.warning("a checkpoint cannot be used, so its %d patches start anew: %s", len(indices), error)
    return encode.run(Ladder.bottom(len(indices)))


class _Encode:
    """One call of encode_patches."""

    def __init__(
        self,
        picture: Picture,
        indices: Sequence[int],
        settings: EncodeSettings,
        fitter: Fitter,
        hooks: FitHooks,
        checkpoints: Checkpoints[bytes],
    ) -> None:
        self._picture, self._indices, self._settings = picture, indices, settings
        self._fitter, self._hooks, self._checkpoints = fitter, hooks, checkpoints
        self._presets = presets_of(picture, settings)

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self._picture, self._indices, self._settings, self._presets)

    def read(self, data: bytes) -> tuple[Ladder, FitCheckpoint]:
        """Where an earlier encode of these patches was. Raises DamagedCheckpoint."""
        return read_checkpoint(data, self._fingerprint, len(self._presets), len(self._indices))

    def run(self, ladder: Ladder, resume: FitCheckpoint | None = None) -> EncodedPatches:
        """Go on from here, and within the first fit from its checkpoint."""
        progress = _Progress(self._hooks, len(self._indices), len(self._presets))
        while True:
            task = self._task(ladder)
            fitted = self._fitter(task, self._fit_hooks(ladder, progress, resume))
            ladder, resume = self._next(ladder, task, fitted), None
            if not ladder.waiting or ladder.stage == len(self._presets):
                break
        progress.end()
        return EncodedPatches([front(some) for some in ladder.candidates], ladder.iterations)

    def _task(self, ladder: Ladder) -> FitTask:
        indices = [self._indices[place] for place in ladder.waiting]
        return fit_task(self._picture, indices, self._settings, self._presets[ladder.stage])

    def _fit_hooks(self, ladder: Ladder, progress: _Progress, resume: FitCheckpoint | None) -> FitHooks:
        checkpoints = Checkpoints(resume)
        if self._checkpoints.wanted:

            def save(fit: FitCheckpoint) -> None:
                self._checkpoints.save(write_checkpoint(self._fingerprint, ladder, fit))

            checkpoints = Checkpoints(resume, self._checkpoints.due, save)
        on_progress = progress.of(ladder.stage, ladder.waiting)
        return replace(self._hooks, on_progress=on_progress, checkpoints=checkpoints)

    def _next(self, ladder: Ladder, task: FitTask, fitted: Fitted) -> Ladder:
        """The next stage, of the patches that are not good enough yet."""
        candidates = [list(some) for some in ladder.candidates]
        for place, some in zip(ladder.waiting, candidates_of(task, fitted, self._settings), strict=True):
            candidates[place] += some
        waiting = [
            place
            for number, place in enumerate(ladder.waiting)
            if not is_good_enough(task, number, candidates[place], self._settings)
        ]
        iterations = ladder.iterations + int(fitted.iterations.sum())
        return Ladder(ladder.stage + 1, waiting, candidates, iterations)


class _Progress:
    """One progress of all patches over all presets."""

    def __init__(self, hooks: FitHooks, patches: int, stages: int) -> None:
        self._hooks, self._stages = hooks, stages
        self._share = np.zeros(patches)

    def of(self, stage: int, places: Sequence[int]) -> Callable[[FitProgress], None]:
        """Takes the progress of one stage's fit, of the patches at these places; the others have all of it."""
        waiting = np.array(places)
        self._share[:] = 1.0

        def tell(progress: FitProgress) -> None:
            self._share[waiting] = (stage + progress.share) / self._stages
            self._hooks.on_progress(FitProgress(self._share.copy(), progress.phase))

        return tell

    def end(self) -> None:
        self._hooks.on_progress(FitProgress(np.ones(len(self._share)), "done"))
