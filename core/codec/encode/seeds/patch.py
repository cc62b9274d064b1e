"""One patch at one step size: searched, written and measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from regrow.core.codec.encode.seeds.patch_search import PatchSearch
from regrow.core.codec.format.seeds.arithmetic import STEPS_PER_OCTAVE
from regrow.core.codec.format.seeds.model import SeedModel
from regrow.core.codec.images import Pixels
from regrow.core.codec.quality import squared_error

COARSEST_ALPHA = 16


@dataclass(frozen=True, slots=True)
class FoundPatch:
    """payload: its bytes. error: sum of squared errors of what is seen of it, in 8-bit levels."""

    payload: bytes
    error: int


def search_patch(
    model: SeedModel,
    pixels: Pixels,
    filled: Pixels,
    code: int,
    sweeps: int,
    go_on: Callable[[float], None],
    care: float = 1.0,
) -> FoundPatch:
    """The best that so many sweeps find.

    pixels: uint8 (height, width, 1, 3 or 4). filled: the same with smooth colours where alpha hides them. go_on: called
    with the share that is done; may raise. care: how much of its worth an error counts for.
    """
    search, least = PatchSearch(model, _with_coarse_alpha(filled, code), code, care), np.inf
    best = search.state
    for sweep in range(sweeps):
        go_on(sweep / (sweeps + 1))
        search.sweep(with_slopes=sweep + 1 < sweeps)
        if search.loss < least:
            least, best = search.loss, search.state
    search.go_back_to(best)
    go_on(sweeps / (sweeps + 1))
    payload = search.payload()
    go_on(1.0)
    return FoundPatch(payload, squared_error(pixels, search.regrown))


def _with_coarse_alpha(pixels: Pixels, code: int) -> Pixels:
    """Pixels whose alpha, where it is neither 0 nor 255, is a multiple of the step size, or of COARSEST_ALPHA."""
    unit = min(int(255 * 2 ** (-code / STEPS_PER_OCTAVE)), COARSEST_ALPHA)
    if pixels.shape[2] != 4 or unit < 2:
        return pixels
    coarse, alpha = pixels.copy(), pixels[..., 3].astype(np.int32)
    rounded = np.clip((alpha + unit // 2) // unit * unit, 1, 254)
    coarse[..., 3] = np.where((alpha == 0) | (alpha == 255), alpha, rounded)
    return coarse
