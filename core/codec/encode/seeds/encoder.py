"""Encoding a picture in the profile `seeds`: its work in units that need not know of each other, and their assembly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np

from regrow.core.codec.alpha import with_hidden_filled
from regrow.core.codec.decode import decode
from regrow.core.codec.encode.encoded import Encoded
from regrow.core.codec.encode.seeds.patch import FoundPatch, search_patch
from regrow.core.codec.encode.seeds.plan import LONGEST, MODEL, SWEEPS, step_code, tiling_of
from regrow.core.codec.encode.seeds.targets import CARES, Trial, trial_for_bytes, trial_for_psnr
from regrow.core.codec.fit.task import FitHooks, FitProgress
from regrow.core.codec.format.seeds.bundle import SeedsHeader, seeds_bundle_size, write_seeds_bundle
from regrow.core.codec.format.seeds.geometry import Tiling
from regrow.core.codec.format.seeds.model import released_model
from regrow.core.codec.images import Picture, Pixels
from regrow.core.codec.quality import measure, psnr_from_mse
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import FitStopped


@dataclass(frozen=True, slots=True)
class SeedsUnit:
    """What comes of a unit. step: the code of its quantisation step size. payloads: of its patches, in order."""

    step: int
    payloads: tuple[bytes, ...]


def encode_units(
    picture: Picture, units: Sequence[int], settings: EncodeSettings, hooks: FitHooks | None = None
) -> list[SeedsUnit]:
    """Do these units. Raises FitStopped when the hooks ask for it, BudgetTooSmall."""
    search = _PictureSearch(picture, hooks or FitHooks())
    sweeps = SWEEPS[settings.effort]
    if not settings.searches:
        step = step_code(settings.quality)
        found = search.patches(units, step, sweeps, search.teller(len(units)))
        return [SeedsUnit(step, (patch.payload,)) for patch in found]
    if settings.target_psnr is not None:
        trial = trial_for_psnr(search.trial, settings.target_psnr, sweeps)
    else:
        trial = trial_for_bytes(search.trial, settings.max_bytes or 0, sweeps)
    return [SeedsUnit(trial.step, tuple(patch.payload for patch in trial.patches))]


def assemble_seeds(picture: Picture, settings: EncodeSettings, units: Sequence[SeedsUnit]) -> Encoded:
    """The bundle of all units, in order, and the quality of what the decoder makes of it."""
    payloads = [payload for unit in units for payload in unit.payloads]
    bundle = write_seeds_bundle(_header(picture, units[0].step), payloads)
    quality = measure(picture.pixels, decode(bundle).picture.pixels)
    met = None if not settings.searches else settings.target_psnr is None or quality.psnr >= settings.target_psnr
    return Encoded(bundle, quality, {}, met)


def _header(picture: Picture, step: int) -> SeedsHeader:
    return SeedsHeader(picture.height, picture.width, picture.channels, step, LONGEST, MODEL)


class _PictureSearch:
    """Searches a picture's patches, side by side, for who can stop it and wants to know how far it is."""

    def __init__(self, picture: Picture, hooks: FitHooks) -> None:
        self._picture, self._filled, self._hooks = picture, with_hidden_filled(picture), hooks
        self._model = released_model(MODEL)
        self._trials: dict[tuple[int, int, int], Trial] = {}

    def patches(
        self, indices: Sequence[int], step: int, sweeps: int, tell: Callable[[int, float], None], care: int = CARES
    ) -> list[FoundPatch]:
        """These patches at a step size. tell: called with a place among them, and its share that is done."""
        tiling = tiling_of(self._picture)

        def search(place: int) -> FoundPatch:
            def go_on(share: float) -> None:
                if self._hooks.should_stop():
                    raise FitStopped("the search was asked to stop")
                tell(place, share)

            pixels, filled = (_part(each.pixels, tiling, indices[place]) for each in (self._picture, self._filled))
            return search_patch(self._model, pixels, filled, step, sweeps, go_on, care / CARES)

        with ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS) as pool:  # type: ignore[attr-defined]
            return list(pool.map(search, range(len(indices))))

    def trial(self, step: int, sweeps: int, care: int) -> Trial:
        """The whole picture at a step size; each only once."""
        asked = (step, sweeps, care)
        if asked not in self._trials:
            indices = range(tiling_of(self._picture).count)
            found = self.patches(indices, step, sweeps, self._tell_trial, care)
            size = seeds_bundle_size(_header(self._picture, step), [len(patch.payload) for patch in found])
            error = sum(patch.error for patch in found) / self._picture.pixels.size
            self._trials[asked] = Trial(step, tuple(found), size, psnr_from_mse(error))
        return self._trials[asked]

    def teller(self, places: int) -> Callable[[int, float], None]:
        """Tells the hooks of so many patches' progress."""
        shares = np.zeros(places)

        def tell(place: int, share: float) -> None:
            shares[place] = share
            self._hooks.on_progress(FitProgress(shares.copy(), "searching"))

        return tell

    def _tell_trial(self, place: int, share: float) -> None:
        """Nobody knows how many trials there will be: each takes half of what is left."""
        del place, share
        done = 1 - 0.5 ** len(self._trials)
        self._hooks.on_progress(FitProgress(np.array([done]), "looking for the step size"))


def _part(pixels: Pixels, tiling: Tiling, index: int) -> Pixels:
    """A patch's pixels."""
    (top, left), (height, width) = tiling.origin(index), tiling.extent(index)
    return pixels[top : top + height, left : left + width]
