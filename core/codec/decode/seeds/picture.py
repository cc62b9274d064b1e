"""The patches of a picture of the profile `seeds`, on several threads: finished, or as they were on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numba
import numpy as np

from regrow.core.codec.decode.seeds.compiled import decode_patch
from regrow.core.codec.decode.seeds.walk import Frame
from regrow.core.codec.format.bundle import OnDamage
from regrow.core.codec.format.seeds import arithmetic
from regrow.core.codec.format.seeds.bundle import SeedsBundle
from regrow.core.codec.format.seeds.geometry import scale_sizes
from regrow.core.codec.format.seeds.model import COLOURS, released_model
from regrow.core.codec.images import Pixels
from regrow.core.errors import DamagedBundle


@dataclass(frozen=True, slots=True)
class Growth:
    """How one patch grew.

    frames: every state, in order; none where nothing of the patch is seen. finished: its pixels, uint8 (height, width,
    channels). begins: step of the picture at which it begins to grow, so that all patches end together.
    """

    frames: tuple[Frame, ...]
    finished: Pixels
    begins: int

    def at(self, step: int) -> Pixels:
        """The pixels after so many of the picture's steps: colours enlarged from their scale, alpha from the start."""
        if not self.frames:
            return self.finished
        frame = self.frames[max(0, step - self.begins)]
        colours = frame.colours.astype(np.int64)
        for size in reversed(scale_sizes((self.finished.shape[0], self.finished.shape[1]))[: frame.level]):
            colours = arithmetic.enlarged(colours, size)
        pixels = self.finished.copy()
        pixels[..., :COLOURS] = arithmetic.pixels_of(colours)
        return pixels


def grow_patches(
    bundle: SeedsBundle, indices: Sequence[int], *, on_damage: OnDamage, step: int | None
) -> Iterator[tuple[int, Pixels | None]]:
    """The patches of these numbers, each with its pixels (channels, height, width), after so many steps or finished.

    None instead of pixels for a patch whose payload turns out to be damaged, if `on_damage` is "conceal"; else raises
    DamagedBundle.
    """

    def grow(index: int) -> Pixels | None:
        try:
            growth = _growth(bundle, index, keep=step is not None)
        except DamagedBundle:
            if on_damage == "refuse":
                raise
            return None
        return (growth.finished if step is None else growth.at(step)).transpose(2, 0, 1)

    with _threads() as pool:
        yield from zip(indices, pool.map(grow, indices), strict=True)


def growths_of(bundle: SeedsBundle, indices: Sequence[int]) -> dict[int, Growth]:
    """How the patches of these numbers grow. Raises DamagedBundle."""
    with _threads() as pool:
        return dict(zip(indices, pool.map(partial(_growth, bundle), indices), strict=True))


def patches_at(growths: Mapping[int, Growth], step: int, indices: Sequence[int]) -> Iterator[tuple[int, Pixels]]:
    """As `grow_patches`, of patches that are grown already."""
    for index in indices:
        yield index, growths[index].at(step).transpose(2, 0, 1)


def _growth(bundle: SeedsBundle, index: int, *, keep: bool = True) -> Growth:
    """How one patch grows. keep: whether its frames are wanted. Raises DamagedBundle."""
    header, frames = bundle.header, list[Frame]()
    try:
        finished = decode_patch(
            bundle.payloads[index],
            released_model(header.model),
            header.grid.extent(index),
            header.channels,
            header.step,
            frames.append if keep else None,
        )
    except DamagedBundle as error:
        raise DamagedBundle(f"patch {index}: {error}") from error
    return Growth(tuple(frames), finished, header.steps + 1 - len(frames))


def _threads() -> ThreadPoolExecutor:
    """As many as numba has; compiled code lets go of the interpreter."""
    return ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
