"""Writing seeds and alpha as a patch's bytes, compiled: what decode.seeds.symbol_kernels reads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from regrow.core.codec.decode.seeds.symbol_kernels import alpha_context
from regrow.core.codec.encode.seeds.cost_kernels import length_of, symbol_of
from regrow.core.codec.format.seeds.alpha_plane import CONTEXTS, SLOWEST
from regrow.core.codec.format.seeds.coder import (
    LEAST_RANGE,
    LENGTH_BITS,
    PROBABILITY_BITS,
    RANGE_BITS,
    WINDOW_BYTES,
)

BYTES_A_SEED, BYTES_AN_ALPHA = 6, 13
"""The most that one takes: a symbol of 16 bits, 1 + 5 + 16 raw bits, 8 low ones; nine bits of up to 11."""


class Writer(NamedTuple):
    """Bytes being written: uint8, as many as can be; and int64 (3,): low end of the range, range, bytes so far."""

    data: npt.NDArray[np.uint8]
    state: npt.NDArray[np.int64]


def writer_of(seeds: int, alphas: int) -> Writer:
    """For so many seeds and values of alpha."""
    size = BYTES_A_SEED * seeds + BYTES_AN_ALPHA * alphas + WINDOW_BYTES
    return Writer(np.zeros(size, dtype=np.uint8), np.array([0, 1 << RANGE_BITS, 0], dtype=np.int64))


def finished(writer: Writer) -> bytes:
    """All that was written: as few bytes as say which range it is."""
    low, size, count = (int(number) for number in writer.state)
    free = (size.bit_length() - 1) // 8 * 8
    low = -(-low >> free) << free
    head = int.from_bytes(writer.data[:count].tobytes()) + (low >> RANGE_BITS)
    tail = (low & ((1 << RANGE_BITS) - 1)).to_bytes(WINDOW_BYTES)
    return (head.to_bytes(count) + tail).rstrip(b"\0")


@njit(nogil=True, error_model="numpy")
def put(writer, start, frequency):  # type: ignore[no-untyped-def]
    """Write a symbol that has `frequency` of the 2**16 numbers, from `start` on."""
    unit = writer.state[1] >> PROBABILITY_BITS
    low, size, count = writer.state[0] + unit * start, unit * frequency, writer.state[2]
    if low >> RANGE_BITS:
        low -= 1 << RANGE_BITS
        last = count - 1
        while writer.data[last] == 0xFF:
            writer.data[last] = 0
            last -= 1
        writer.data[last] += 1
    while size < LEAST_RANGE:
        writer.data[count] = low >> (RANGE_BITS - 8)
        low = (low << 8) & ((1 << RANGE_BITS) - 1)
        size <<= 8
        count += 1
    writer.state[0] = low
    writer.state[1] = size
    writer.state[2] = count


@njit(nogil=True, error_model="numpy")
def _put_raw(writer, value, bits):  # type: ignore[no-untyped-def]
    """A number of so many bits."""
    if bits:
        free = PROBABILITY_BITS - bits
        put(writer, value << free, 1 << free)


@njit(nogil=True, error_model="numpy")
def put_seed(writer, tables, mean, scale, seed):  # type: ignore[no-untyped-def]
    """A seed by its law."""
    number, low_bits, symbol = symbol_of(tables, mean, scale, seed)
    put(writer, np.int64(tables.before[symbol]), np.int64(tables.frequencies[symbol]))
    beyond = abs(number) - np.int64(tables.reach[scale])
    if beyond > 0:
        length = length_of(beyond)
        _put_raw(writer, 1 if number < 0 else 0, 1)
        _put_raw(writer, length, LENGTH_BITS)
        _put_raw(writer, beyond - (1 << length), length)
    _put_raw(writer, low_bits, np.int64(tables.raw_bits[scale]))


@njit(nogil=True, error_model="numpy")
def _put_bit(writer, zeros, counts, context, bit):  # type: ignore[no-untyped-def]
    """A bit in a context."""
    zero = zeros[context]
    if bit:
        put(writer, zero, (1 << PROBABILITY_BITS) - zero)
    else:
        put(writer, 0, zero)
    counts[context] += 1
    shift = min(counts[context], SLOWEST)
    zeros[context] += -(zero >> shift) if bit else ((1 << PROBABILITY_BITS) - zero) >> shift


@njit(nogil=True, error_model="numpy")
def put_alpha(writer, padded):  # type: ignore[no-untyped-def]
    """All alpha of a plane, int64 with a margin of 2 that is opaque."""
    zeros = np.full(CONTEXTS, 1 << PROBABILITY_BITS - 1, dtype=np.int64)
    counts = np.zeros(CONTEXTS, dtype=np.int64)
    for y in range(2, padded.shape[0] - 2):
        for x in range(2, padded.shape[1] - 2):
            predicted, context, unrest = alpha_context(padded, y, x)
            error = (padded[y, x] - predicted) & 0xFF
            _put_bit(writer, zeros, counts, context, 1 if error else 0)
            node = 1
            for place in range(7, -1, -1) if error else range(0):
                bit = (error >> place) & 1
                _put_bit(writer, zeros, counts, unrest + node, bit)
                node = 2 * node + bit
