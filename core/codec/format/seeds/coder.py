"""The entropy coder of the profile `seeds`: an asymmetric numeral system (Duda, 2013) that works byte by byte.

Its state begins at nothing and ends at nothing, so that a stream has at most three bytes beyond what its symbols are
worth, and one less where its last symbol stands at the beginning of its table.
"""

from __future__ import annotations

from collections.abc import Sequence

from regrow.core.errors import DamagedBundle

PROBABILITY_BITS = 16
STATE_BITS = 32
"""The state is at least 2 ** STATE_BITS while bytes are left."""

MOST_RAW_BITS = 16
LENGTH_BITS = 5


class Reader:
    """Symbols out of bytes. Raises DamagedBundle where the bytes do not end with the symbols."""

    def __init__(self, data: bytes) -> None:
        if data.startswith(b"\0"):
            raise DamagedBundle("a patch's coded seeds begin with a byte of zero, which no encoder writes")
        self._data, self._next, self._state = data, 0, 0
        self._refill()

    def _refill(self) -> None:
        while self._state < 1 << STATE_BITS and self._next < len(self._data):
            self._state = self._state << 8 | self._data[self._next]
            self._next += 1

    def symbol(self, frequencies: Sequence[int]) -> int:
        """The number of the next symbol. frequencies: of every symbol, of 2**16 in all."""
        low = self._state & 0xFFFF
        number, start = 0, 0
        while start + frequencies[number] <= low:
            start += frequencies[number]
            number += 1
        self._state = frequencies[number] * (self._state >> PROBABILITY_BITS) + low - start
        self._refill()
        return number

    def raw(self, bits: int) -> int:
        """A number of so many bits, 0 to 16."""
        free = PROBABILITY_BITS - bits
        low = self._state & 0xFFFF
        value = low >> free
        self._state = (self._state >> PROBABILITY_BITS << free) + low - (value << free)
        self._refill()
        return value

    def end(self) -> None:
        """Check that all is read."""
        if self._state or self._next < len(self._data):
            raise DamagedBundle("a patch's coded seeds do not end where they should")


def encode(starts: Sequence[int], frequencies: Sequence[int]) -> bytes:
    """The bytes of symbols, each as its place (first number, how many) among 2**16, in reading order."""
    state, out = 0, bytearray()
    for start, frequency in zip(reversed(starts), reversed(frequencies), strict=True):
        while state >= frequency << (STATE_BITS + 8 - PROBABILITY_BITS):
            out.append(state & 0xFF)
            state >>= 8
        state = (state // frequency << PROBABILITY_BITS) + start + state % frequency
    while state:
        out.append(state & 0xFF)
        state >>= 8
    return bytes(reversed(out))
