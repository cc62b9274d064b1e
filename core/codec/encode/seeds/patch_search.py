"""Searching the seeds of one patch: sweep after sweep over all of them, with true costs.

Each sweep walks as the decoder does, so that every seed is chosen by the law that it will be read by. What it then
costs its neighbours, and what growth makes of the picture, is known from the sweep before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from regrow.core.codec.decode.seeds.law_kernels import MARGIN, Network
from regrow.core.codec.decode.seeds.walk import DetailBand, LowPassBand, Seeds, grow_patch
from regrow.core.codec.encode.seeds.choice_kernels import choose_details, write_alpha, write_details, write_low_pass
from regrow.core.codec.encode.seeds.cost_kernels import cost_tables
from regrow.core.codec.encode.seeds.range_encoder import finished, writer_of
from regrow.core.codec.encode.seeds.transform import Floats, coefficients_of, opponent, transformed
from regrow.core.codec.format.seeds.alpha_plane import OPAQUE
from regrow.core.codec.format.seeds.arithmetic import SEED_BITS, SEED_LIMIT, STEPS_PER_OCTAVE, Integers
from regrow.core.codec.format.seeds.contexts import squash_table
from regrow.core.codec.format.seeds.geometry import Size
from regrow.core.codec.format.seeds.model import SeedModel
from regrow.core.codec.images import Pixels

SQUASH = squash_table().astype(np.float32)
BITS_PER_ERROR = 6 / np.log(2)
"""Bits that a squared error of one step size is worth. With steps as fine as can be, a step that is shorter by a part
takes log2(e) of that part more bits a seed, and the mean error of step² / 12 falls by twice that part."""

DAMPING = 0.5
"""How much of what a sweep tells replaces what was known before: all seeds move at once, and would go too far."""


SearchState = tuple[list[list[Integers]], Pixels, float]
"""Details, pixels, bits."""


class Back(NamedTuple):
    """A law network turned round: weights of its last, second and first layer, and room for slopes by their outputs."""

    last: Floats
    second: Floats
    first: Floats
    out: Floats
    second_out: Floats
    first_out: Floats
    inputs: Floats


class PatchSearch:
    """The seeds of a patch at one step size.

    low: int32 (colours, h, w); details: int32, of each scale, coarse to fine, and band, likewise. bits: what all of
    them cost. pixels: what they grow to, without alpha.
    """

    def __init__(self, model: SeedModel, pixels: Pixels, code: int, care: float = 1.0) -> None:
        """pixels: uint8 (height, width, 1, 3 or 4). care: how much of its worth an error counts for."""
        self.bits_per_error = care * BITS_PER_ERROR
        self.model, self.code = model, code
        self.alpha = pixels[..., 3].copy() if pixels.shape[2] == 4 else None
        self._original = pixels[..., :3] if self.alpha is not None else pixels
        self.step = 2.0 ** (-code / STEPS_PER_OCTAVE)
        self.wanted = coefficients_of(self._original)
        low = np.rint(self.wanted.low_pass / self.step)
        self.low: Integers = np.clip(low, -SEED_LIMIT, SEED_LIMIT).astype(np.int32)
        self.details = [[np.zeros(band.shape, dtype=np.int32) for band in bands] for bands in self.wanted.details]
        self.slopes: list[Floats] | None = None
        self.bits = 0.0
        self.pixels = self._original

    @property
    def size(self) -> Size:
        """Height and width."""
        return self._original.shape[0], self._original.shape[1]

    @property
    def error(self) -> float:
        """Sum of squared errors of the pixels, in units of their range; with alpha, of what is seen of them."""
        difference = self._seen(self._original.astype(np.float32) - self.pixels)
        return float(np.sum(difference.astype(np.float64) ** 2)) / 255**2

    @property
    def loss(self) -> float:
        """Bits, and what the error is worth in bits."""
        return float(self.bits + self.bits_per_error * 3 / len(self.low) * self.error / self.step**2)

    def sweep(self, *, with_slopes: bool) -> None:
        """Choose every detail anew. with_slopes: let the next sweep know what seeds cost their neighbours, and what
        growth made of them."""
        chooser = Chooser(self, with_slopes=with_slopes)
        self.pixels = self._grow(chooser)
        self.bits = chooser.bits
        if chooser.slopes is not None:
            before = self.slopes or [np.zeros_like(plane) for plane in chooser.slopes]
            self.slopes = [old + DAMPING * (new - old) for old, new in zip(before, chooser.slopes, strict=True)]
            self._aim_anew()

    @property
    def state(self) -> SearchState:
        """What there is now, for go_back_to."""
        return [[band.copy() for band in bands] for bands in self.details], self.pixels, self.bits

    def go_back_to(self, state: SearchState) -> None:
        """Have what there was before."""
        self.details, self.pixels, self.bits = state

    @property
    def regrown(self) -> Pixels:
        """The pixels with alpha, where there is one, as a decoder makes them."""
        if self.alpha is None:
            return self.pixels
        if not self.alpha.any():
            return np.zeros((*self.size, 4), dtype=np.uint8)
        return np.concatenate([self.pixels, self.alpha[..., None]], axis=2)

    def _aim_anew(self) -> None:
        """Want of the details what makes up for what growth made of them."""
        lacking = transformed(self._seen(opponent(self._original) - opponent(self.pixels), axis=0)).details
        for places, seeds, missing in zip(self.wanted.details, self.details, lacking, strict=True):
            for band, plane in enumerate(places):
                drawn = self.drawn(band)[: len(plane), None, None]
                aim = self.step * (seeds[band] - np.sign(seeds[band]) * drawn) + missing[band]
                plane += DAMPING * (aim - plane)

    def payload(self) -> bytes:
        """The bytes of the seeds as they are."""
        writer = PayloadWriter(self)
        if self.alpha is not None:
            padded = np.pad(self.alpha.astype(np.int64), MARGIN, constant_values=OPAQUE)
            write_alpha(writer.out, padded)
        if self.alpha is None or self.alpha.any():
            self._grow(writer)
        return finished(writer.out)

    def drawn(self, band: int) -> Floats:
        """How much nearer to zero than their numbers a band's seeds stand, by colour."""
        drawn: Floats = self.model.shrink[band].astype(np.float32) / (1 << SEED_BITS)
        return drawn

    def _grow(self, seeds: Seeds) -> Pixels:
        return grow_patch(self.model, self.size, len(self.low), self.code, seeds)

    def _seen(self, planes: Floats, axis: int = -1) -> Floats:
        """Differences weighed by alpha; axis: of the colours."""
        if self.alpha is None:
            return planes
        weights = np.expand_dims(self.alpha.astype(np.float32) / 255, axis)
        return np.asarray(planes * weights, dtype=np.float32)


class PayloadWriter:
    """Seeds that are known, as a patch's bytes: a Seeds of the walk. bits: what was written."""

    def __init__(self, search: PatchSearch) -> None:
        alphas = 0 if search.alpha is None else search.alpha.size
        self.out = writer_of(len(search.low) * search.size[0] * search.size[1], alphas)
        self.bits = 0.0
        self._search, self._tables = search, cost_tables(search.model.tables)

    def low_pass(self, band: LowPassBand) -> None:
        """Write a colour of the low-pass band."""
        band.planes[band.colour, MARGIN:-MARGIN, MARGIN:-MARGIN] = self._search.low[band.colour]
        self.bits += write_low_pass(
            self.out, self._tables, band.colour, band.planes, band.size, band.step, band.told, band.network
        )

    def details(self, band: DetailBand) -> None:
        """Write a colour of a band."""
        details = self._search.details
        band.seeds[...] = details[len(details) - band.level][band.band][band.colour]
        place = (band.own, band.others, band.planes, band.parent, band.seen, band.told)
        write_details(self.out, self._tables, band.seeds, place, band.network, SQUASH)


class Chooser:
    """Seeds that are chosen: a Seeds of the walk.

    bits: what they cost. slopes: by scale, of all seeds' bits by what laws see of each seed; float32 (colours · bands,
    H + 4, W + 4).
    """

    def __init__(self, search: PatchSearch, *, with_slopes: bool) -> None:
        self.bits = 0.0
        self.slopes: list[Floats] | None = [] if with_slopes else None
        self._search, self._tables = search, cost_tables(search.model.tables)
        self._low = PayloadWriter(search)
        self._with_slopes = with_slopes

    def low_pass(self, band: LowPassBand) -> None:
        """The low-pass band is as it is; it costs what it costs."""
        before = self._low.bits
        self._low.low_pass(band)
        self.bits += self._low.bits - before

    def details(self, band: DetailBand) -> None:
        """Choose a colour of a band."""
        search = self._search
        scale = len(search.details) - band.level
        seeds = search.details[scale][band.band][band.colour]
        height, width = band.size
        pulls = np.zeros(band.size, dtype=np.float32)
        if search.slopes is not None:
            pulls[...] = search.slopes[scale][band.own, MARGIN : MARGIN + height, MARGIN : MARGIN + width]
        wanted = (
            (search.wanted.details[scale][band.band][band.colour] / np.float32(search.step)),
            np.float32(search.bits_per_error),
            search.drawn(band.band)[band.colour],
            pulls,
        )
        place = (band.own, band.others, band.planes, band.parent, band.seen, band.told)
        slopes, parent = self._rooms(band, scale)
        shifts = [int(shift) for shift in band.network.shifts]
        factors = np.array([2.0 ** -(shifts[0] + shifts[1] + shift) for shift in shifts[2:]], dtype=np.float32)
        slope_room = (slopes, parent, factors if self._with_slopes else np.zeros(2, dtype=np.float32))
        band.seeds[...] = seeds
        self.bits += choose_details(
            self._tables, band.seeds, place, band.network, SQUASH, wanted, turned_round(band.network), slope_room
        )
        seeds[...] = band.seeds
        if self.slopes is not None and scale:
            above = self.slopes[scale - 1]
            above[band.own, MARGIN:-MARGIN, MARGIN:-MARGIN] += _halved(parent[MARGIN:-MARGIN, MARGIN:-MARGIN])

    def _rooms(self, band: DetailBand, scale: int) -> tuple[Floats, Floats]:
        """Where slopes are gathered: of the scale, and of its parent."""
        if self.slopes is None:
            return np.zeros((1, 1, 1), dtype=np.float32), np.zeros((1, 1), dtype=np.float32)
        if scale == len(self.slopes):
            self.slopes.append(np.zeros_like(band.planes))
        return self.slopes[scale], np.zeros_like(band.parent)


def turned_round(network: Network) -> Back:
    """A network's weights for slopes, with room for as many places."""
    places, outputs = len(network.inputs), 2
    rooms = (
        np.zeros((places, units), dtype=np.float32)
        for units in (outputs, len(network.last), len(network.second), len(network.first))
    )
    weights = (network.last[:, :outputs], network.second, network.first)
    last, second, first = (np.ascontiguousarray(each.T) for each in weights)
    return Back(last, second, first, *rooms)


def _halved(values: Floats) -> Floats:
    """Sums of 2×2; a missing last row or column counts as 0."""
    height, width = values.shape
    padded = np.pad(values, ((0, height % 2), (0, width % 2)))
    halved: Floats = padded.reshape((height + 1) // 2, 2, (width + 1) // 2, 2).sum(axis=(1, 3), dtype=np.float32)
    return halved
