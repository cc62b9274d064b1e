"""A patch of the profile `seeds`, grown in numpy: slow, and what the fast one must equal."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regrow.core.codec.format.fixed_point import grow
from regrow.core.codec.format.seeds import arithmetic, laws
from regrow.core.codec.format.seeds.alpha_plane import Alpha, read_alpha, write_alpha
from regrow.core.codec.format.seeds.arithmetic import Integers, Longs
from regrow.core.codec.format.seeds.coder import Reader, encode
from regrow.core.codec.format.seeds.contexts import AROUND, BANDS, CAUSAL
from regrow.core.codec.format.seeds.geometry import Size, band_sizes, coding_order, scale_sizes
from regrow.core.codec.format.seeds.model import COLOURS, LawNetwork, SeedModel
from regrow.core.codec.format.seeds.symbols import Writer, read_seed
from regrow.core.codec.rollout import Rollout

RGBA = 4

Law = Callable[[npt.NDArray[np.int32], npt.NDArray[np.int32]], tuple[Longs, Longs]]
"""Means and scales of the seeds at some rows and columns, all of whose neighbours are known."""

TakeSeeds = Callable[[Integers, Size, Law], None]
"""Fills a padded plane with the seeds of a band of this size, in coding order, each by its law."""


@dataclass(frozen=True, slots=True)
class PatchSeeds:
    """What a patch grows from.

    low_pass: int32 (colours, h, w). details: coarse to fine, each HL, LH, HH of such planes. alpha: uint8 (height,
    width), of RGBA pictures.
    """

    low_pass: Integers
    details: tuple[tuple[Integers, Integers, Integers], ...]
    alpha: Alpha | None = None


def decode_patch(payload: bytes, model: SeedModel, size: Size, channels: int, code: int) -> npt.NDArray[np.uint8]:
    """The pixels of a patch, uint8 (height, width, channels); channels: 1, 3 or 4. Raises DamagedBundle."""
    reader = Reader(payload)

    def take(plane: Integers, band: Size, law: Law) -> None:
        for rows, columns in _fronts(band):
            means, scales = law(rows, columns)
            for row, column, mean, scale in zip(rows, columns, means, scales, strict=True):
                plane[row + 2, column + 2] = read_seed(reader, model.tables, int(mean), int(scale))

    alpha = read_alpha(reader, size) if channels == RGBA else None
    if alpha is not None and not alpha.any():
        pixels = np.zeros((*size, channels), dtype=np.uint8)
    else:
        pixels = with_alpha(_Patch(model, size, min(channels, COLOURS), code, take).pixels(), alpha)
    reader.end()
    return pixels


def encode_patch(seeds: PatchSeeds, model: SeedModel, size: Size, code: int) -> tuple[bytes, npt.NDArray[np.uint8]]:
    """The payload of seeds, and the pixels that they grow to."""
    writer = Writer()
    colours = range(len(seeds.low_pass))
    details = (band[colour] for scale in seeds.details for colour in colours for band in scale)
    known = itertools.chain(seeds.low_pass, details)

    def take(plane: Integers, band: Size, law: Law) -> None:
        plane[2 : 2 + band[0], 2 : 2 + band[1]] = next(known)
        for rows, columns in _fronts(band):
            means, scales = law(rows, columns)
            for row, column, mean, scale in zip(rows, columns, means, scales, strict=True):
                writer.seed(model.tables, int(mean), int(scale), int(plane[row + 2, column + 2]))

    if seeds.alpha is not None:
        write_alpha(writer, seeds.alpha)
    if seeds.alpha is not None and not seeds.alpha.any():
        pixels = np.zeros((*size, RGBA), dtype=np.uint8)
    else:
        pixels = with_alpha(_Patch(model, size, len(seeds.low_pass), code, take).pixels(), seeds.alpha)
    return encode(writer.starts, writer.frequencies), pixels


def with_alpha(pixels: npt.NDArray[np.uint8], alpha: Alpha | None) -> npt.NDArray[np.uint8]:
    """Pixels (height, width, channels), with alpha where there is one."""
    return pixels if alpha is None else np.concatenate([pixels, alpha[..., None]], axis=2)


def _fronts(size: Size) -> list[tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]]:
    """A band's places in coding order, cut where column + 2 · row changes."""
    rows, columns = coding_order(size)
    if not len(rows):
        return []
    cuts = np.flatnonzero(np.diff(columns + 2 * rows)) + 1
    return list(zip(np.split(rows, cuts), np.split(columns, cuts), strict=True))


class _Patch:
    """One patch, from nothing to pixels."""

    def __init__(self, model: SeedModel, size: Size, colours: int, code: int, take: TakeSeeds) -> None:
        self._model, self._size, self._colours, self._code, self._take = model, size, colours, code, take

    def pixels(self) -> npt.NDArray[np.uint8]:
        """Read and grow all scales, then finish."""
        model, sizes = self._model, scale_sizes(self._size)
        levels = len(sizes) - 1
        low = self._low_pass(sizes[-1], levels)
        state = np.zeros((model.channels, *sizes[-1]), dtype=np.int64)
        state[: self._colours] = arithmetic.low_pass_state(low, self._code, levels)
        state[COLOURS:] = arithmetic.constants(model.start, self._code, levels)[:, None, None]
        parents = [np.zeros((COLOURS, *sizes[-1]), dtype=np.int32) for _ in BANDS]
        for level in range(levels, 0, -1):
            coarse, next_size = Rollout(model.coarse_steps), sizes[level - 1]
            state = grow(model.coarse_shape, model.coarse, state.astype(np.int32), coarse).astype(np.int64)
            bands = self._details(state, parents, level, band_sizes(next_size))
            state = self._next_scale(state, bands, level, next_size)
            parents = [
                _padded_to(band, sizes[level]).repeat(2, -2).repeat(2, -1)[:, : next_size[0], : next_size[1]]
                for band in bands
            ]
        state = grow(model.fine_shape, model.fine, state.astype(np.int32), Rollout(model.fine_steps)).astype(np.int64)
        return arithmetic.pixels_of(state[: self._colours])

    def _low_pass(self, size: Size, levels: int) -> Integers:
        planes: list[Integers] = []
        where = (arithmetic.told_step(self._code), arithmetic.told_level(levels))
        inside = laws.padded(np.ones(size, dtype=np.int32))
        for colour in range(self._colours):
            plane = np.zeros((size[0] + 4, size[1] + 4), dtype=np.int32)
            network = self._model.low_pass[colour]

            def law(
                rows: npt.NDArray[np.int32],
                columns: npt.NDArray[np.int32],
                plane: Integers = plane,
                network: LawNetwork = network,
            ) -> tuple[Longs, Longs]:
                guesses = _guesses(plane, rows, columns)
                own = laws.neighbours(plane, rows, columns, CAUSAL) - guesses[:, None]
                known = [own * laws.neighbours(inside, rows, columns, CAUSAL), guesses[:, None]]
                for other in planes:
                    seen = laws.neighbours(other, rows, columns, AROUND) - _guesses(other, rows, columns)[:, None]
                    known.append(seen * laws.neighbours(inside, rows, columns, AROUND))
                inputs = laws.low_pass_inputs(np.concatenate(known, axis=1), self._code, levels)
                told = arithmetic.limited_input(np.tile(np.array(where, dtype=np.int64), (len(rows), 1)))
                return laws.low_pass_law(network, np.concatenate([inputs, told], 1), guesses, self._code, levels)

            self._take(plane, size, law)
            planes.append(plane)
        return np.stack(planes)[:, 2 : 2 + size[0], 2 : 2 + size[1]]

    def _details(
        self, state: Longs, parents: list[Integers], level: int, sizes: tuple[Size, Size, Size]
    ) -> list[Integers]:
        """HL, LH and HH of a scale, each (colours, h, w)."""
        told = arithmetic.limited_input(np.array([arithmetic.told_step(self._code), arithmetic.told_level(level)]))
        seen = arithmetic.limited_input(arithmetic.rounded(state, 8))
        above = [[laws.padded(arithmetic.squashed(plane)) for plane in band] for band in parents]
        margins = tuple(side + 4 for side in state.shape[1:])
        planes = [[np.zeros(margins, dtype=np.int32) for _ in BANDS] for _ in range(self._colours)]
        for colour in range(self._colours):
            for band, size in enumerate(sizes):
                network, plane = self._model.details[colour][band], planes[colour][band]

                def law(
                    rows: npt.NDArray[np.int32],
                    columns: npt.NDArray[np.int32],
                    colour: int = colour,
                    band: int = band,
                    network: LawNetwork = network,
                ) -> tuple[Longs, Longs]:
                    known = [laws.neighbours(planes[colour][band], rows, columns, CAUSAL)]
                    known += [laws.neighbours(planes[colour][other], rows, columns, AROUND) for other in range(band)]
                    known += [laws.neighbours(planes[other][band], rows, columns, AROUND) for other in range(colour)]
                    squashed = arithmetic.squashed(np.concatenate(known, axis=1).astype(np.int32)).astype(np.int64)
                    parent = laws.neighbours(above[band][colour], rows, columns, AROUND)
                    rest = [parent, seen[:, rows, columns].T, np.tile(told, (len(rows), 1))]
                    return laws.detail_law(network, np.concatenate([squashed, *rest], axis=1))

                self._take(plane, size, law)
        bands = [np.zeros((COLOURS, *size), dtype=np.int32) for size in sizes]
        for band, (height, width) in enumerate(sizes):
            for colour in range(self._colours):
                bands[band][colour] = planes[colour][band][2 : 2 + height, 2 : 2 + width]
        return bands

    def _next_scale(self, state: Longs, bands: list[Integers], level: int, size: Size) -> Longs:
        model = self._model
        details = [
            np.stack(
                [
                    arithmetic.detail_state(band[c], int(model.shrink[number, c]), self._code, level)
                    for c in range(COLOURS)
                ]
            )
            for number, band in enumerate(bands)
        ]
        picture = arithmetic.inverse_wavelet(state[:COLOURS], (details[0], details[1], details[2]))
        seeds = np.concatenate([_padded_to(band, (state.shape[1], state.shape[2])) for band in bands])
        told = np.einsum("jhw,jc->chw", arithmetic.squashed(seeds).astype(np.int64), model.inject.astype(np.int64))
        hidden = arithmetic.enlarged(state[COLOURS:] + arithmetic.rounded(told, 4), size)
        hidden += arithmetic.constants(model.tell, self._code, level - 1)[:, None, None]
        return np.concatenate([picture, hidden])


def _guesses(plane: Integers, rows: npt.NDArray[np.int32], columns: npt.NDArray[np.int32]) -> Longs:
    """The mean of the seeds at the left and above, rounded down; where one is missing the other, else 0."""
    left = plane[rows + 2, columns + 1].astype(np.int64)
    above = plane[rows + 1, columns + 2].astype(np.int64)
    return np.where(rows == 0, left, np.where(columns == 0, above, (left + above) >> 1))


def _padded_to(band: Integers, size: Size) -> Integers:
    """A band (colours, h, w) with zeros where, at an odd side, the scale has a cell more."""
    return np.pad(band, ((0, 0), (0, size[0] - band.shape[1]), (0, size[1] - band.shape[2])))
