"""Reading seeds and alpha out of a patch's bytes, compiled: core.codec.format.seeds.coder, symbols and alpha_plane.

Callable from numba code. Where bytes say what no encoder writes, functions return a failure's number instead of OK.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from regrow.core.codec.format.seeds.alpha_plane import (
    CONTEXTS,
    ERROR_CONTEXTS,
    OPAQUE,
    SLOWEST,
    UNREST,
    WRONG_CONTEXTS,
)
from regrow.core.codec.format.seeds.arithmetic import SEED_LIMIT
from regrow.core.codec.format.seeds.coder import (
    LEAST_RANGE,
    LENGTH_BITS,
    MOST_RAW_BITS,
    PROBABILITY_BITS,
    RANGE_BITS,
    WINDOW_BYTES,
)
from regrow.core.codec.format.seeds.model import LawTables
from regrow.core.errors import DamagedBundle

OK, IMPOSSIBLE, TOO_LONG, TOO_LARGE, NOT_AT_END = range(5)
FAILURES = {
    IMPOSSIBLE: "a patch's coded seeds say what no encoder writes",
    TOO_LONG: f"a patch has a number of more than {MOST_RAW_BITS} bits",
    TOO_LARGE: f"a patch has a seed beyond ±{SEED_LIMIT}",
    NOT_AT_END: "a patch's coded seeds do not end where they should",
}


class Stream(NamedTuple):
    """Bytes being read: uint8 (n,); and int64 (3,): range, code, number of the next byte."""

    data: npt.NDArray[np.uint8]
    state: npt.NDArray[np.int64]


class Tables(NamedTuple):
    """model.LawTables as numba takes it."""

    raw_bits: npt.NDArray[np.int32]
    reach: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int32]
    frequencies: npt.NDArray[np.int32]


def stream_of(payload: bytes) -> Stream:
    """At the first symbol. Raises DamagedBundle."""
    if payload.endswith(b"\0"):
        raise DamagedBundle("a patch's coded seeds end with a byte of zero, which no encoder writes")
    code = int.from_bytes(payload[:WINDOW_BYTES].ljust(WINDOW_BYTES, b"\0"))
    state = np.array([1 << RANGE_BITS, code, WINDOW_BYTES], dtype=np.int64)
    return Stream(np.frombuffer(payload, dtype=np.uint8), state)


def tables_of(tables: LawTables) -> Tables:
    """The same tables."""
    return Tables(tables.raw_bits, tables.reach, tables.starts, tables.frequencies)


def raise_failure(failure: int) -> None:
    """Raises DamagedBundle unless it is OK."""
    if failure != OK:
        raise DamagedBundle(FAILURES[failure])


@njit(nogil=True, error_model="numpy")
def _place(stream):  # type: ignore[no-untyped-def]
    """Where, among 2**16 numbers, the next symbol lies; 2**16 and more where it cannot."""
    return stream.state[1] // (stream.state[0] >> PROBABILITY_BITS)


@njit(nogil=True, error_model="numpy")
def _take(stream, start, frequency):  # type: ignore[no-untyped-def]
    """Go on behind a symbol."""
    unit = stream.state[0] >> PROBABILITY_BITS
    code, size, place = stream.state[1] - unit * start, unit * frequency, stream.state[2]
    while size < LEAST_RANGE:
        code = code << 8 | (np.int64(stream.data[place]) if place < len(stream.data) else 0)
        size <<= 8
        place += 1
    stream.state[0] = size
    stream.state[1] = code
    stream.state[2] = place


@njit(nogil=True, error_model="numpy")
def _raw(stream, bits):  # type: ignore[no-untyped-def]
    """A number of so many bits, or -1 where there can be none."""
    place = _place(stream)
    if place >> PROBABILITY_BITS:
        return -1
    free = PROBABILITY_BITS - bits
    value = place >> free
    _take(stream, value << free, 1 << free)
    return value


@njit(nogil=True, error_model="numpy")
def read_seed(stream, tables, mean, scale):  # type: ignore[no-untyped-def]
    """The next seed by its law, and OK or a failure."""
    bits, reach = np.int64(tables.raw_bits[scale]), np.int64(tables.reach[scale])
    nearest = (mean + 4) >> 3
    fraction = 0 if bits else mean - 8 * nearest
    table = tables.starts[scale, abs(fraction)]
    place = _place(stream)
    if place >> PROBABILITY_BITS:
        return 0, IMPOSSIBLE
    symbol, start = 0, 0
    while start + tables.frequencies[table + symbol] <= place:
        start += tables.frequencies[table + symbol]
        symbol += 1
    _take(stream, start, tables.frequencies[table + symbol])
    number = np.int64((symbol + 1) // 2 if symbol % 2 else -(symbol // 2))
    if symbol > 2 * reach:
        negative, length = _raw(stream, 1), _raw(stream, LENGTH_BITS)
        if negative < 0 or length < 0:
            return 0, IMPOSSIBLE
        if length > MOST_RAW_BITS:
            return 0, TOO_LONG
        beyond = _raw(stream, length) if length else 0
        if beyond < 0:
            return 0, IMPOSSIBLE
        size = reach + (1 << length | beyond)
        number = -size if negative else size
    if bits:
        low = _raw(stream, bits)
        if low < 0:
            return 0, IMPOSSIBLE
        number = number << bits | low
    seed = nearest + (-number if fraction < 0 else number)
    return seed, OK if abs(seed) <= SEED_LIMIT else TOO_LARGE


@njit(nogil=True, error_model="numpy")
def _read_bit(stream, zeros, counts, context):  # type: ignore[no-untyped-def]
    """A bit in a context, or -1 where there can be none."""
    zero, place = zeros[context], _place(stream)
    if place >> PROBABILITY_BITS:
        return -1
    bit = 1 if place >= zero else 0
    if bit:
        _take(stream, zero, (1 << PROBABILITY_BITS) - zero)
    else:
        _take(stream, 0, zero)
    counts[context] += 1
    shift = min(counts[context], SLOWEST)
    zeros[context] += -(zero >> shift) if bit else ((1 << PROBABILITY_BITS) - zero) >> shift
    return bit


@njit(nogil=True, error_model="numpy")
def read_alpha(stream, padded):  # type: ignore[no-untyped-def]
    """All alpha into a plane, int64 with a margin of 2 that is OPAQUE; OK or a failure."""
    zeros = np.full(CONTEXTS, 1 << PROBABILITY_BITS - 1, dtype=np.int64)
    counts = np.zeros(CONTEXTS, dtype=np.int64)
    for y in range(2, padded.shape[0] - 2):
        for x in range(2, padded.shape[1] - 2):
            predicted, context, unrest = alpha_context(padded, y, x)
            wrong = _read_bit(stream, zeros, counts, context)
            if wrong < 0:
                return IMPOSSIBLE
            node = 1 if wrong else 256
            while node < 256:
                bit = _read_bit(stream, zeros, counts, unrest + node)
                if bit < 0:
                    return IMPOSSIBLE
                node = 2 * node + bit
            padded[y, x] = (predicted + node) & OPAQUE
    return OK


@njit(nogil=True, error_model="numpy")
def alpha_context(padded, y, x):  # type: ignore[no-untyped-def]
    """A pixel's prediction, the context of whether it is wrong, and the first of those of its error."""
    left, above, corner, right = padded[y, x - 1], padded[y - 1, x], padded[y - 1, x - 1], padded[y - 1, x + 1]
    least, most = min(left, above), max(left, above)
    predicted = least if corner >= most else most if corner <= least else left + above - corner
    context = 0
    for known in (left, above, corner, right, padded[y, x - 2], padded[y - 2, x]):
        context = 2 * context + (1 if known == predicted else 0)
    spread = max(most, corner, right) - min(least, corner, right)
    calm = (1 if spread > 0 else 0) + (1 if spread >= UNREST else 0)
    return predicted, context, WRONG_CONTEXTS + ERROR_CONTEXTS * calm
