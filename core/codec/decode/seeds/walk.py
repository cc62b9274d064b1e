"""The way from seeds to pixels, scale by scale, on compiled pieces: as decode.seeds.reference, to the same numbers.

Who walks decides where seeds come from: a decoder reads them, an encoder chooses them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from regrow.core.codec.decode.growers.compiled import grow_states
from regrow.core.codec.decode.seeds.law_kernels import (
    MARGIN,
    Floats,
    Longs,
    LowPassStep,
    Network,
    low_pass_step,
    network_of,
    told,
)
from regrow.core.codec.decode.seeds.scale_kernels import enlarge
from regrow.core.codec.format.seeds import arithmetic
from regrow.core.codec.format.seeds.arithmetic import Integers
from regrow.core.codec.format.seeds.contexts import BANDS
from regrow.core.codec.format.seeds.geometry import Size, band_sizes, scale_sizes
from regrow.core.codec.format.seeds.model import COLOURS, SeedModel
from regrow.core.codec.rollout import Rollout


@dataclass(frozen=True, slots=True)
class LowPassBand:
    """The coarsest picture, one colour of it. planes: int32 (colours, h + 4, w + 4), the colours before filled."""

    colour: int
    size: Size
    planes: Integers
    step: LowPassStep
    told: Floats
    network: Network


@dataclass(frozen=True, slots=True)
class DetailBand:
    """One colour of a band of one scale.

    seeds: int32 (h, w) to be filled. planes: float32 (colours · bands, H + 4, W + 4), the squashed seeds of the scale;
    own: number of this band's, which is to be filled; others: numbers of those that the law looks at. parent, seen: the
    scale above, and the grown state (channels, H, W), as laws see them.
    """

    level: int
    colour: int
    band: int
    size: Size
    seeds: Integers
    own: int
    others: Longs
    planes: Floats
    parent: Floats
    seen: Floats
    told: Floats
    network: Network


class Seeds(Protocol):
    """Where seeds come from."""

    def low_pass(self, band: LowPassBand) -> None:
        """Fill the band's plane."""
        ...

    def details(self, band: DetailBand) -> None:
        """Fill the band's seeds, and its squashed plane."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """A state (colours, h, w) on the way. level: how often the patch is halved at its scale. step: updates at it."""

    level: int
    step: int
    colours: Integers


def grow_patch(
    model: SeedModel,
    size: Size,
    colours: int,
    code: int,
    seeds: Seeds,
    on_frame: Callable[[Frame], None] | None = None,
) -> npt.NDArray[np.uint8]:
    """The pixels of a patch, uint8 (height, width, colours)."""
    sizes = scale_sizes(size)
    levels = len(sizes) - 1
    low = _low_pass(model, sizes[-1], colours, code, levels, seeds)
    state = np.zeros((model.channels, *sizes[-1]), dtype=np.int32)
    state[:colours] = arithmetic.low_pass_state(low, code, levels)
    state[COLOURS:] = arithmetic.constants(model.start, code, levels)[:, None, None]
    parents = np.zeros((colours, len(BANDS), *(side + 2 * MARGIN for side in sizes[-1])), dtype=np.float32)
    for level in range(levels, 0, -1):
        state = _grown(model, state, level, on_frame, colours)
        bands = _details(model, state, parents, colours, code, level, sizes[level - 1], seeds)
        state = _next_scale(model, state, bands, code, level, sizes[level - 1])
        parents = _repeated(bands, sizes[level - 1])
    state = _grown(model, state, 0, on_frame, colours)
    return arithmetic.pixels_of(state[:colours].astype(np.int64))


def _grown(
    model: SeedModel, state: Integers, level: int, on_frame: Callable[[Frame], None] | None, colours: int
) -> Integers:
    """The state after the updates of its scale."""
    shape, rule, steps = (
        (model.coarse_shape, model.coarse, model.coarse_steps)
        if level
        else (model.fine_shape, model.fine, model.fine_steps)
    )
    if on_frame is None:
        kept = None if level else colours  # nobody looks at the hidden channels of the finished picture
        grown: Integers = grow_states(shape, [rule], state, Rollout(steps), threads=1, channels=kept)[0]
        return grown
    on_frame(Frame(level, 0, state[:colours].copy()))
    for step in range(steps):
        state = grow_states(shape, [rule], state, Rollout(1), threads=1)[0]
        on_frame(Frame(level, step + 1, state[:colours].copy()))
    return state


def _low_pass(model: SeedModel, size: Size, colours: int, code: int, levels: int, seeds: Seeds) -> Integers:
    """The low-pass seeds, int32 (colours, h, w)."""
    planes = np.zeros((colours, size[0] + 2 * MARGIN, size[1] + 2 * MARGIN), dtype=np.int32)
    step, where = low_pass_step(code, levels), told(code, levels)
    for colour in range(colours):
        seeds.low_pass(LowPassBand(colour, size, planes, step, where, network_of(model.low_pass[colour], size)))
    low: Integers = planes[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    return low


def _details(
    model: SeedModel,
    state: Integers,
    parents: Floats,
    colours: int,
    code: int,
    level: int,
    next_size: Size,
    seeds: Seeds,
) -> list[Integers]:
    """HL, LH and HH of a scale, int32 (3, h, w) each; colours that the picture lacks are zero."""
    height, width = state.shape[1:]
    seen = arithmetic.limited_input((state + (1 << 7)) >> 8).astype(np.float32)
    planes = np.zeros((colours * len(BANDS), height + 2 * MARGIN, width + 2 * MARGIN), dtype=np.float32)
    sizes, where = band_sizes(next_size), told(code, level)
    bands = [np.zeros((COLOURS, *size), dtype=np.int32) for size in sizes]
    for colour in range(colours):
        for band, size in enumerate(sizes):
            own = colour * len(BANDS) + band
            others = [colour * len(BANDS) + other for other in range(band)]
            others += [other * len(BANDS) + band for other in range(colour)]
            seeds.details(
                DetailBand(
                    level=level,
                    colour=colour,
                    band=band,
                    size=size,
                    seeds=bands[band][colour],
                    own=own,
                    others=np.array(others, dtype=np.int64),
                    planes=planes,
                    parent=parents[colour, band],
                    seen=seen,
                    told=where,
                    network=network_of(model.details[colour][band], size),
                )
            )
    return bands


def _next_scale(
    model: SeedModel, state: Integers, bands: list[Integers], code: int, level: int, size: Size
) -> Integers:
    """The state of the next scale before it grows."""
    details = [
        np.stack(
            [
                arithmetic.detail_state(plane, int(model.shrink[number, colour]), code, level)
                for colour, plane in enumerate(band)
            ]
        )
        for number, band in enumerate(bands)
    ]
    picture = arithmetic.inverse_wavelet(state[:COLOURS].astype(np.int64), (details[0], details[1], details[2]))
    next_state = np.empty((len(state), *size), dtype=np.int32)
    next_state[:COLOURS] = picture
    squashed = np.concatenate([_cell_sized(arithmetic.squashed(band), state.shape[1:]) for band in bands])
    told_next = arithmetic.constants(model.tell, code, level - 1)
    enlarge(state[COLOURS:], squashed, model.inject, told_next, next_state[COLOURS:])
    return next_state


def _repeated(bands: list[Integers], size: Size) -> Floats:
    """Squashed seeds for each of the next scale's cells that lie on them, with a margin; float32 (3, 3, h+4, w+4)."""
    height, width = size
    out = np.zeros((COLOURS, len(BANDS), height + 2 * MARGIN, width + 2 * MARGIN), dtype=np.float32)
    for number, band in enumerate(bands):
        squashed = _cell_sized(arithmetic.squashed(band), ((height + 1) // 2, (width + 1) // 2))
        twice = squashed.repeat(2, -2).repeat(2, -1)[:, :height, :width]
        out[:, number, MARGIN:-MARGIN, MARGIN:-MARGIN] = twice
    return out


def _cell_sized(band: Integers, size: tuple[int, ...]) -> Integers:
    """A band (colours, h, w) with zeros where, at an odd side, the scale has a cell more."""
    out = np.zeros((len(band), size[0], size[1]), dtype=np.int32)
    out[:, : band.shape[1], : band.shape[2]] = band
    return out
