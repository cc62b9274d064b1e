"""Choosing seeds, compiled: which whole number serves bits and picture best, and what that does to other seeds' costs.

Entry points for a band; conventions as in decode.seeds.law_kernels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from regrow.core.codec.decode.seeds import activation, law_kernels
from regrow.core.codec.decode.seeds.law_kernels import (
    MARGIN,
    answer_details,
    answer_low_pass,
    detail_law,
    fronts_of,
    low_pass_law,
    squashed,
)
from regrow.core.codec.encode.seeds import cost_kernels, range_encoder
from regrow.core.codec.encode.seeds.cost_kernels import cost_slopes, seed_bits
from regrow.core.codec.encode.seeds.range_encoder import put_alpha, put_seed
from regrow.core.codec.format.seeds.arithmetic import SEED_LIMIT
from regrow.core.codec.format.seeds.contexts import AROUND, CAUSAL, INPUT_LIMIT
from regrow.core.codec.simd import dense, vectors
from regrow.core.codec.simd.cache import cached, digest
from regrow.core.codec.simd.dense import product

_CAUSAL = np.array(CAUSAL, dtype=np.int64)
_AROUND = np.array(AROUND, dtype=np.int64)


@njit(nogil=True, error_model="numpy")
def _cost(tables, mean, scale, seed, coefficient, aim, squash):  # type: ignore[no-untyped-def]
    """Bits and error of a seed. aim: weight of the squared error, how far seeds stand below their numbers, the seed
    before, and the slope of other seeds' bits by what laws see of this one."""
    weight, drawn, before, slope = aim
    value = seed - drawn if seed > 0 else seed + drawn if seed < 0 else np.float32(0.0)
    others = slope * (squashed(squash, seed) - squashed(squash, before))
    return seed_bits(tables, mean, scale, seed) + others + weight * (coefficient - value) ** 2


@njit(nogil=True, error_model="numpy")
def _choose(tables, mean, scale, coefficient, aim, squash):  # type: ignore[no-untyped-def]
    """The best of: the seed before, the number that is nearest, the next towards zero, and zero."""
    sign = 1 if coefficient >= 0 else -1
    nearest = min(SEED_LIMIT, int(abs(coefficient) + aim[1] + 0.5))
    best = np.int64(aim[2])
    least = _cost(tables, mean, scale, best, coefficient, aim, squash)
    for size in (nearest, nearest - 1, 0):
        seed = np.int64(sign * size)
        if size >= 0 and seed != best:
            cost = _cost(tables, mean, scale, seed, coefficient, aim, squash)
            if cost < least:
                best, least = seed, cost
    return best


@njit(nogil=True, error_model="numpy")
def _pull_back(network, back, places):  # type: ignore[no-untyped-def]
    """From slopes by the outputs, rows of back.out, to slopes by the inputs, rows of back.inputs."""
    out, second, first = back.out[:places], back.second_out[:places], back.first_out[:places]
    product(out, back.last, second)
    for i in range(places):
        for j in range(second.shape[1]):
            if not 0 < network.second_out[i, j] < INPUT_LIMIT:
                second[i, j] = 0
    product(second, back.second, first)
    for i in range(places):
        for j in range(first.shape[1]):
            if not 0 < network.first_out[i, j] < INPUT_LIMIT:
                first[i, j] = 0
    product(first, back.first, back.inputs[:places])


@njit(nogil=True, error_model="numpy")
def _scatter(row, column, own, others, slopes, planes, parent):  # type: ignore[no-untyped-def]
    """Slopes by a place's inputs, to the places that these come from."""
    for k in range(len(_CAUSAL)):
        planes[own, row + MARGIN + _CAUSAL[k, 0], column + MARGIN + _CAUSAL[k, 1]] += slopes[k]
    place = len(_CAUSAL)
    for other in others:
        for k in range(len(_AROUND)):
            planes[other, row + MARGIN + _AROUND[k, 0], column + MARGIN + _AROUND[k, 1]] += slopes[place + k]
        place += len(_AROUND)
    for k in range(len(_AROUND)):
        parent[row + MARGIN + _AROUND[k, 0], column + MARGIN + _AROUND[k, 1]] += slopes[place + k]


_SOURCES = digest(activation, law_kernels, cost_kernels, range_encoder, dense, vectors)


def _choose_details_with(sources: str) -> Callable[..., float]:
    @cached(nogil=True, error_model="numpy")
    def choose_details(tables, seeds, place, network, squash, wanted, back, slopes):  # type: ignore[no-untyped-def]
        """Choose a colour of a band's seeds; what they cost in bits.

        seeds: int32 (h, w), those of the sweep before; replaced. place: as in decode.seeds.compiled. wanted:
        coefficients in units of the step, weight, how far seeds stand below their numbers, and the slopes of the sweep
        before (h, w). back: the network turned round, with slopes to be gathered: into planes and parent's plane.
        """
        _ = sources
        own, others, planes = place[0], place[1], place[2]
        coefficients, weight, drawn, pulls = wanted
        slopes_here, slopes_parent, factors = slopes
        size, total = seeds.shape, 0.0
        for front in range(fronts_of(size)):
            first, end = answer_details(front, size, place, network)
            for row in range(first, end):
                column = front - 2 * row
                mean, scale = detail_law(network, row - first)
                aim = (weight, drawn, np.int64(seeds[row, column]), pulls[row, column])
                seed = _choose(tables, mean, scale, coefficients[row, column], aim, squash)
                seeds[row, column] = seed
                planes[own, row + MARGIN, column + MARGIN] = squashed(squash, seed)
                total += seed_bits(tables, mean, scale, seed)
                by_mean, by_scale = cost_slopes(tables, mean, scale, seed)
                back.out[row - first, 0] = by_mean * factors[0]
                back.out[row - first, 1] = by_scale * factors[1]
            if factors[0] != 0:
                _pull_back(network, back, end - first)
                for row in range(first, end):
                    inputs = back.inputs[row - first]
                    _scatter(row, front - 2 * row, own, others, inputs, slopes_here, slopes_parent)
        return total

    return choose_details


def _write_details_with(sources: str) -> Callable[..., None]:
    @cached(nogil=True, error_model="numpy")
    def write_details(writer, tables, seeds, place, network, squash):  # type: ignore[no-untyped-def]
        """Write a colour of a band's seeds, and fill its squashed plane."""
        _ = sources
        own, planes = place[0], place[2]
        for row in range(seeds.shape[0]):
            for column in range(seeds.shape[1]):
                planes[own, row + MARGIN, column + MARGIN] = squashed(squash, np.int64(seeds[row, column]))
        for front in range(fronts_of(seeds.shape)):
            first, end = answer_details(front, seeds.shape, place, network)
            for row in range(first, end):
                mean, scale = detail_law(network, row - first)
                put_seed(writer, tables, mean, scale, np.int64(seeds[row, front - 2 * row]))

    return write_details


def _write_low_pass_with(sources: str) -> Callable[..., float]:
    @cached(nogil=True, error_model="numpy")
    def write_low_pass(writer, tables, colour, planes, size, step, told, network):  # type: ignore[no-untyped-def]
        """Write a colour of the low-pass band, which its plane has; what it costs in bits."""
        _ = sources
        total = 0.0
        for front in range(fronts_of(size)):
            first, end = answer_low_pass(front, size, colour, planes, step, told, network)
            for row in range(first, end):
                column = front - 2 * row
                mean, scale = low_pass_law(network, row - first, row, column, planes[colour], step)
                seed = np.int64(planes[colour, row + MARGIN, column + MARGIN])
                put_seed(writer, tables, mean, scale, seed)
                total += seed_bits(tables, mean, scale, seed)
        return total

    return write_low_pass


def _write_alpha_with(sources: str) -> Callable[..., None]:
    @cached(nogil=True, error_model="numpy")
    def write_alpha(writer, padded):  # type: ignore[no-untyped-def]
        """Write the alpha of a plane with a margin."""
        _ = sources
        put_alpha(writer, padded)

    return write_alpha


choose_details = _choose_details_with(_SOURCES)
write_details = _write_details_with(_SOURCES)
write_low_pass = _write_low_pass_with(_SOURCES)
write_alpha = _write_alpha_with(_SOURCES)
