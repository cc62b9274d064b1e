"""Encoding a batch of patches in the profile `rules`: fit them, with ever larger presets where a target asks for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from regrow.core.codec.encode.allocation import front
from regrow.core.codec.encode.candidate import Candidate
from regrow.core.codec.encode.checkpoint_file import fingerprint, read_checkpoint, write_checkpoint
from regrow.core.codec.encode.patch_fits import candidates_of, fit_task, is_good_enough
from regrow.core.codec.encode.plan import presets_of
from regrow.core.codec.encode.progress import Progress, ProgressTeller
from regrow.core.codec.fit.checkpoint import Checkpoints, FitCheckpoint
from regrow.core.codec.fit.fitting import Fitted
from regrow.core.codec.fit.task import FitHooks, FitTask
from regrow.core.codec.images import Picture
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import DamagedCheckpoint

log = logging.getLogger("regrow.codec")

Fitter = Callable[[FitTask, FitHooks, Checkpoints[FitCheckpoint]], Fitted]
"""As core.codec.fit.fitting.fit, on an engine of its own."""


@dataclass(frozen=True, slots=True)
class EncodedPatches:
    """candidates: of each patch asked for, those that can be chosen. patch_iterations: summed over the patches."""

    candidates: list[list[Candidate]]
    patch_iterations: int


PatchEncoder = Callable[[Picture, Sequence[int], EncodeSettings, FitHooks, Checkpoints[bytes]], EncodedPatches]
"""As encode_patches, on a device of its own."""


def encoder_on(fitter: Fitter) -> PatchEncoder:
    """encode_patches, with `fitter` doing the fits."""

    def encode(
        picture: Picture,
        indices: Sequence[int],
        settings: EncodeSettings,
        hooks: FitHooks,
        checkpoints: Checkpoints[bytes],
    ) -> EncodedPatches:
        return encode_patches(picture, indices, settings, fitter, hooks, checkpoints)

    return encode


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
    return encode.run(Progress.none(len(indices)))


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

    def read(self, data: bytes) -> tuple[Progress, FitCheckpoint]:
        """Where an earlier encode of these patches was. Raises DamagedCheckpoint."""
        return read_checkpoint(data, self._fingerprint, len(self._presets), len(self._indices))

    def run(self, progress: Progress, resume: FitCheckpoint | None = None) -> EncodedPatches:
        """Go on from here, and within the first fit from its checkpoint."""
        teller = ProgressTeller(self._hooks, len(self._indices), len(self._presets))
        while True:
            task = self._task(progress)
            hooks = replace(self._hooks, on_progress=teller.of(progress.preset, progress.waiting))
            fitted = self._fitter(task, hooks, self._fit_checkpoints(progress, resume))
            progress, resume = self._next(progress, task, fitted), None
            if not progress.waiting or progress.preset == len(self._presets):
                break
        teller.end()
        return EncodedPatches([front(some) for some in progress.candidates], progress.iterations)

    def _task(self, progress: Progress) -> FitTask:
        indices = [self._indices[place] for place in progress.waiting]
        return fit_task(self._picture, indices, self._settings, self._presets[progress.preset])

    def _fit_checkpoints(self, progress: Progress, resume: FitCheckpoint | None) -> Checkpoints[FitCheckpoint]:
        """A fit's state is saved with what was encoded before it."""
        if not self._checkpoints.wanted:
            return Checkpoints(resume)

        def save(fit: FitCheckpoint) -> None:
            self._checkpoints.save(write_checkpoint(self._fingerprint, progress, fit))

        return Checkpoints(resume, self._checkpoints.due, save)

    def _next(self, progress: Progress, task: FitTask, fitted: Fitted) -> Progress:
        """The next preset, for the patches that are not good enough yet."""
        candidates = [list(some) for some in progress.candidates]
        for place, some in zip(progress.waiting, candidates_of(task, fitted, self._settings), strict=True):
            candidates[place] += some
        waiting = [
            place
            for number, place in enumerate(progress.waiting)
            if not is_good_enough(task, number, candidates[place], self._settings)
        ]
        iterations = progress.iterations + int(fitted.iterations.sum())
        return Progress(progress.preset + 1, waiting, candidates, iterations)
