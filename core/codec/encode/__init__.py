"""Encoding: from a picture to a bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from regrow.core.codec.images import Picture
from regrow.core.codec.options import settings_of
from regrow.core.codec.settings import EncodeSettings

if TYPE_CHECKING:
    from regrow.core.codec.encode.encoded import Encoded
    from regrow.core.codec.encode.units import Unit
    from regrow.core.codec.fit.engines.base import Engine
    from regrow.core.codec.fit.task import FitProgress

PATCHES_AT_ONCE = 64
"""Encoded side by side: enough to keep every core busy, few enough for a laptop's memory."""


@dataclass(frozen=True, slots=True)
class EncodeProgress:
    """patches_done: how many of the work's units (core.codec.encode.pricing) are done, in fractions too. phase: what is
    being done, for people."""

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

    settings: None for the defaults of core.codec.options. engine: None for the fastest of this machine. The same
    picture, settings and kind of machine give the same bytes. Raises BudgetTooSmall where no bundle is as small as the
    settings ask for.
    """
    # Here, as a process that only plans an encode shall load neither numba nor torch.
    from regrow.core.codec.encode.effort import with_default_effort
    from regrow.core.codec.encode.encoder import encoder_on
    from regrow.core.codec.encode.pricing import units_of
    from regrow.core.codec.encode.work import assemble, encode_units
    from regrow.core.codec.fit.checkpoint import Checkpoints
    from regrow.core.codec.fit.engines import make_engine
    from regrow.core.codec.fit.fitting import fit
    from regrow.core.codec.fit.task import FitHooks

    settings = settings or with_default_effort(picture, settings_of({}))
    device = cache(lambda: engine or make_engine())  # only what trains needs one
    fit_patches = encoder_on(lambda task, hooks, checkpoints: fit(device(), task, hooks, checkpoints))
    total = units_of(picture, settings)
    units: list[Unit] = []
    iterations = 0

    def tell(done: float, phase: str) -> None:
        if on_progress is not None:
            on_progress(EncodeProgress(done, total, phase))

    for first in range(0, total, PATCHES_AT_ONCE):

        def show(progress: FitProgress, before: int = first) -> None:
            tell(before + float(progress.share.sum()), progress.phase)

        some, hooks = range(first, min(first + PATCHES_AT_ONCE, total)), FitHooks(on_progress=show)
        encoded = encode_units(picture, some, settings, hooks, Checkpoints(), fit_patches)
        units += encoded.units
        iterations += encoded.patch_iterations
    tell(total, "assembling")
    return replace(assemble(picture, settings, units), patch_iterations=iterations)
