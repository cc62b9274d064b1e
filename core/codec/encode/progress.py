"""Where an encode of a batch of patches is among the presets that it tries, and who is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from regrow.core.codec.encode.candidate import Candidate
from regrow.core.codec.fit.task import FitHooks, FitProgress


@dataclass(frozen=True, slots=True)
class Progress:
    """Presets are fitted one after the other, smaller ones first, each for the patches that are not good enough yet.

    preset: number of the one that is fitted. waiting: places in the batch of the patches that it is fitted for.
    candidates: each patch's, of the presets before. iterations: of training those, summed over the patches.
    """

    preset: int
    waiting: list[int]
    candidates: list[list[Candidate]]
    iterations: int

    @classmethod
    def none(cls, patches: int) -> Progress:
        """Of a batch of so many patches before its first fit."""
        return cls(0, list(range(patches)), [[] for _ in range(patches)], 0)


class ProgressTeller:
    """Tells the hooks one progress of all patches over all presets, from each fit's own."""

    def __init__(self, hooks: FitHooks, patches: int, presets: int) -> None:
        self._hooks, self._presets = hooks, presets
        self._share = np.zeros(patches)

    def of(self, preset: int, places: Sequence[int]) -> Callable[[FitProgress], None]:
        """Takes the progress of fitting one preset to the patches at these places; the others have all of it."""
        waiting = np.array(places)
        self._share[:] = 1.0

        def tell(progress: FitProgress) -> None:
            self._share[waiting] = (preset + progress.share) / self._presets
            self._hooks.on_progress(FitProgress(self._share.copy(), progress.phase))

        return tell

    def end(self) -> None:
        """Say that all is done."""
        self._hooks.on_progress(FitProgress(np.ones(len(self._share)), "done"))
