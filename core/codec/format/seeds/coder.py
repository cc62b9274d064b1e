"""The entropy coder of the profile `seeds`: a range coder (Martin, 1979) of 48 bits that works byte by byte.

A stream is cut after its last byte that is not zero, and read as if zeros followed. It has less than one byte beyond
what its symbols are worth.
"""

from __future__ import annotations

from collections.abc import Sequence

from regrow.core.errors import DamagedBundle

PROBABILITY_BITS = 16
RANGE_BITS = 48
LEAST_RANGE = 1 << RANGE_BITS - 8
WINDOW_BYTES = RANGE_BITS // 8

MOST_RAW_BITS = 16
LENGTH_BITS = 5


class Reader:
    """Symbols out of bytes. Raises DamagedBundle where the bytes cannot be, or do not end with the symbols."""

    def __init__(self, data: bytes) -> None:
        if data.endswith(b"\0"):
            raise DamagedBundle("a patch's coded seeds end with a byte of zero, which no encoder writes")
        self._data, self._next = data, WINDOW_BYTES
        self._range, self._code = 1 << RANGE_BITS, int.from_bytes(data[:WINDOW_BYTES].ljust(WINDOW_BYTES, b"\0"))

    def place(self) -> int:
        """Where, among 2**16 numbers, the next symbol lies."""
        place = self._code // (self._range >> PROBABILITY_BITS)
        if place >> PROBABILITY_BITS:
            raise DamagedBundle("a patch's coded seeds say what no encoder writes")
        return place

    def take(self, start: int, frequency: int) -> None:
        """Go on behind a symbol that has `frequency` of the 2**16 numbers, from `start` on."""
        unit = self._range >> PROBABILITY_BITS
        self._code -= unit * start
        self._range = unit * frequency
        while self._range < LEAST_RANGE:
            self._code = self._code << 8 | (self._data[self._next] if self._next < len(self._data) else 0)
            self._range <<= 8
            self._next += 1

    def symbol(self, frequencies: Sequence[int]) -> int:
        """The number of the next symbol. frequencies: of every symbol, of 2**16 in all."""
        place = self.place()
        number, start = 0, 0
        while start + frequencies[number] <= place:
            start += frequencies[number]
            number += 1
        self.take(start, frequencies[number])
        return number

    def raw(self, bits: int) -> int:
        """A number of so many bits, 0 to 16."""
        free = PROBABILITY_BITS - bits
        value = self.place() >> free
        self.take(value << free, 1 << free)
        return value

    def end(self) -> None:
        """Check that nothing follows."""
        if self._next < len(self._data):
            raise DamagedBundle("a patch's coded seeds do not end where they should")


def encode(starts: Sequence[int], frequencies: Sequence[int]) -> bytes:
    """The bytes of symbols, each as its place (first number, how many) among 2**16, in reading order."""
    low, size = 0, 1 << RANGE_BITS
    out = bytearray()

    def carry() -> None:
        nonlocal low
        if low >> RANGE_BITS:
            low -= 1 << RANGE_BITS
            last = len(out) - 1
            while out[last] == 0xFF:
                out[last] = 0
                last -= 1
            out[last] += 1

    for start, frequency in zip(starts, frequencies, strict=True):
        unit = size >> PROBABILITY_BITS
        low += unit * start
        size = unit * frequency
        carry()
        while size < LEAST_RANGE:
            out.append(low >> RANGE_BITS - 8)
            low = (low << 8) & ((1 << RANGE_BITS) - 1)
            size <<= 8
    free = (size.bit_length() - 1) // 8 * 8
    low = -(-low >> free) << free  # the number within the range with as many zeros at its end as there can be
    carry()
    return bytes(out + low.to_bytes(WINDOW_BYTES)).rstrip(b"\0")
