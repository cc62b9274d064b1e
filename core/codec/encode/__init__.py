"""Encoding: from a picture to a bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from regrow.core.codec.images import Picture
from regrow.core.codec.settings import EncodeSettings

if TYPE_CHECKING:
    from regrow.core.codec.encode.candidate import Candidate
    from regrow.core.codec.encode.encoded import Encoded
    from regrow.core.codec.fit.engines.base import Engine
    from regrow.core.codec.fit.task import FitProgress

PATCHES_AT_ONCE = 64
"""Fitted side by side: enough to keep every core busy, few enough for a laptop's memory."""


@dataclass(frozen=True, slots=True)
class EncodeProgress:
    """patches_done: how many patches' work is done, in fractions too. phase: what is being done, for people."""

    patches_done: float
    patches_total: int
    phase: str


def encode(
    picture: Picture,
    settings: EncodeSettings | None = None,
    *,
    engine: Engine | None = None,
    on_progress: Callable[[EncodeProgress], None] | None = None,
) -> Encoded:
    """The bundle of a picture, and the quality of what the decoder makes of it.

    settings: None for the best effort that takes about a minute on two cores. engine: None for the fastest of this
    machine. The same picture, settings and kind of machine give the same bytes. Raises BudgetTooSmall where no bundle
    is as small as the settings ask for.
    """
    # Here, as a process that only plans an encode shall load neither numba nor torch.
    from regrow.core.codec.encode.assemble import assemble
    from regrow.core.codec.encode.effort import with_default_effort
    from regrow.core.codec.encode.encoder import encode_patches
    from regrow.core.codec.encode.plan import grid_of
    from regrow.core.codec.fit.engines import make_engine
    from regrow.core.codec.fit.fitting import fit
    from regrow.core.codec.fit.task import FitHooks

    settings = settings or with_default_effort(picture, EncodeSettings())
    device, total = engine or make_engine(), grid_of(picture).count
    candidates: list[list[Candidate]] = []
    iterations = 0

    def tell(done: float, phase: str) -> None:
        if on_progress is not None:
            on_progress(EncodeProgress(done, total, phase))

    for first in range(0, total, PATCHES_AT_ONCE):

        def show(progress: FitProgress, before: int = first) -> None:
            tell(before + float(progress.share.sum()), progress.phase)

        some = range(first, min(first + PATCHES_AT_ONCE, total))
        encoded = encode_patches(picture, some, settings, partial(fit, device), FitHooks(on_progress=show))
        candidates += encoded.candidates
        iterations += encoded.patch_iterations
    tell(total, "assembling")
    return replace(assemble(picture, settings, candidates), patch_iterations=iterations)
