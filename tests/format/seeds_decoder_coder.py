"""What a payload of the profile `seeds` is read by: sections 7.4 to 7.6 of FORMAT.md, for seeds_decoder.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.format.seeds_decoder_model import Model, require

# ---------------------------------------------------------------------------------------------------------------------
# 7.4 The coder
# ---------------------------------------------------------------------------------------------------------------------


class Coder:
    """A range coder on numbers below 2^16."""

    def __init__(self, payload: bytes) -> None:
        require(not payload.endswith(b"\0"), "A payload ends with a zero byte.")
        self.payload = payload
        self.taken = 0
        self.range = 1 << 48
        self.code = 0
        for _ in range(6):
            self.code = 256 * self.code + self.next_byte()

    def next_byte(self) -> int:
        """The next byte; zeros follow the payload without end."""
        self.taken += 1
        return self.payload[self.taken - 1] if self.taken <= len(self.payload) else 0

    def place(self) -> int:
        """Where the next symbol is among the numbers below 2^16."""
        place = self.code // (self.range >> 16)
        require(place < 1 << 16, "A payload says what no symbol stands for.")
        return place

    def take(self, a: int, f: int) -> None:
        """Take a symbol that has the f numbers from a on, and check the bounds that 7.4 states."""
        unit = self.range >> 16
        self.code -= unit * a
        self.range = unit * f
        while self.range < 1 << 40:
            self.code = 256 * self.code + self.next_byte()
            self.range *= 256
        assert 0 <= self.code < self.range <= 1 << 48  # as 7.4 proves

    def symbol(self, table: list[int]) -> int:
        """A symbol of a table."""
        place, a = self.place(), 0
        for number, f in enumerate(table):
            if place < a + f:
                self.take(a, f)
                return number
            a += f
        raise AssertionError("a table adds up to 2^16")

    def raw(self, n: int) -> int:
        """A number of n bits."""
        if n == 0:
            return 0
        value = self.place() >> (16 - n)
        self.take(value << (16 - n), 1 << (16 - n))
        return value

    def end(self) -> None:
        """Check that all bytes have been taken."""
        require(self.taken >= len(self.payload), "A payload has bytes after its last symbol.")


# ---------------------------------------------------------------------------------------------------------------------
# 7.5 Alpha
# ---------------------------------------------------------------------------------------------------------------------


class Bits:
    """Bits in contexts that learn."""

    def __init__(self, coder: Coder) -> None:
        self.coder = coder
        self.z = [32768] * 832
        self.count = [0] * 832

    def read(self, context: int) -> int:
        """A bit."""
        z = self.z[context]
        bit = 0 if self.coder.place() < z else 1
        self.coder.take(*((z, (1 << 16) - z) if bit else (0, z)))
        self.count[context] += 1
        i = min(self.count[context], 5)
        self.z[context] = z - (z >> i) if bit else z + (((1 << 16) - z) >> i)
        return bit


def read_alpha(coder: Coder, height: int, width: int) -> NDArray[np.uint8]:
    """The alpha of a patch, (height, width)."""
    bits = Bits(coder)
    known: dict[tuple[int, int], int] = {}
    for y in range(height):
        for x in range(width):
            places = ((y, x - 1), (y - 1, x), (y - 1, x - 1), (y - 1, x + 1), (y, x - 2), (y - 2, x))
            known[y, x] = read_pixel(bits, [known.get(place, 255) for place in places])
    return np.array([[known[y, x] for x in range(width)] for y in range(height)], np.uint8)


def read_pixel(bits: Bits, neighbours: list[int]) -> int:
    """A pixel; neighbours: A, B, D, E, F, G."""
    a, b, d, e, _, _ = neighbours
    if d >= max(a, b):
        predicted = min(a, b)
    elif d <= min(a, b):
        predicted = max(a, b)
    else:
        predicted = a + b - d
    equal = [value == predicted for value in neighbours]
    context = sum(worth for worth, same in zip((32, 16, 8, 4, 2, 1), equal, strict=True) if same)
    if not bits.read(context):
        return predicted
    u = max(a, b, d, e) - min(a, b, d, e)
    kind = 0 if u == 0 else 1 if u < 32 else 2
    node = 1
    for _ in range(8):
        node = 2 * node + bits.read(64 + 256 * kind + node)
    return (predicted + node) % 256


# ---------------------------------------------------------------------------------------------------------------------
# 7.6 A seed
# ---------------------------------------------------------------------------------------------------------------------


def read_seed(coder: Coder, model: Model, mean: int, scale: int) -> int:
    """A seed by its law's mean, in eighths, and scale code."""
    k, reach = model.raw_bits[scale], model.reach[scale]
    nearest = (mean + 4) >> 3
    fraction = mean - 8 * nearest
    j = coder.symbol(model.tables[scale][0 if k else abs(fraction)])
    if j <= 2 * reach:
        v = (j + 1) // 2 if j % 2 else -j // 2
    else:
        sign = coder.raw(1)
        n = coder.raw(5)
        require(n <= 16, f"An escape has {n} bits.")
        v = reach + (1 << n) + coder.raw(n)
        v = -v if sign else v
    v = (v << k) + coder.raw(k)
    seed = nearest - v if k == 0 and fraction < 0 else nearest + v
    require(abs(seed) <= 32767, f"A seed is {seed}.")
    return seed
