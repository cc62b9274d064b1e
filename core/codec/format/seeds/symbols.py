"""A seed as symbols of its law's table, and back."""

from __future__ import annotations

from dataclasses import dataclass, field

from regrow.core.codec.format.seeds.arithmetic import SEED_LIMIT
from regrow.core.codec.format.seeds.coder import LENGTH_BITS, MOST_RAW_BITS, PROBABILITY_BITS, Reader
from regrow.core.codec.format.seeds.model import LawTables
from regrow.core.errors import DamagedBundle


def _place(number: int) -> int:
    """Where a number stands in a table: 0, 1, -1, 2, -2, ..."""
    return 2 * number - 1 if number > 0 else -2 * number


def _number(place: int) -> int:
    return (place + 1) // 2 if place % 2 else -(place // 2)


def _centred(mean: int, raw_bits: int) -> tuple[int, int, bool]:
    """The whole number next to a mean in eighths, the fraction's table, and whether the law is mirrored."""
    nearest = (mean + 4) >> 3
    fraction = mean - 8 * nearest
    return (nearest, 0, False) if raw_bits else (nearest, abs(fraction), fraction < 0)


def read_seed(reader: Reader, tables: LawTables, mean: int, scale: int) -> int:
    """The next seed, by its law. Raises DamagedBundle where it is beyond what a seed can be."""
    bits, reach = int(tables.raw_bits[scale]), int(tables.reach[scale])
    nearest, fraction, mirrored = _centred(mean, bits)
    place = reader.symbol(tables.table(scale, fraction).tolist())
    number = _read_far(reader, reach) if place > 2 * reach else _number(place)
    number = number << bits | (reader.raw(bits) if bits else 0)
    seed = nearest + (-number if mirrored else number)
    if abs(seed) > SEED_LIMIT:
        raise DamagedBundle(f"a patch has a seed of {seed}: {SEED_LIMIT} is the largest")
    return seed


def _read_far(reader: Reader, reach: int) -> int:
    """A number beyond a table's reach: its sign, the length of what is beyond, and that without its first bit."""
    negative = reader.raw(1)
    length = reader.raw(LENGTH_BITS)
    if length > MOST_RAW_BITS:
        raise DamagedBundle(f"a patch has a number of {length} bits: {MOST_RAW_BITS} are the most")
    size = reach + (1 << length | (reader.raw(length) if length else 0))
    return -size if negative else size


@dataclass(slots=True)
class Writer:
    """Gathers what seeds are written as: places (first number, how many) among 2**16, for coder.encode."""

    starts: list[int] = field(default_factory=list)
    frequencies: list[int] = field(default_factory=list)

    def seed(self, tables: LawTables, mean: int, scale: int, seed: int) -> None:
        """Write one seed by its law."""
        bits, reach = int(tables.raw_bits[scale]), int(tables.reach[scale])
        nearest, fraction, mirrored = _centred(mean, bits)
        whole = nearest - seed if mirrored else seed - nearest
        number, table = whole >> bits, tables.table(scale, fraction)
        far = abs(number) > reach
        place = 2 * reach + 1 if far else _place(number)
        self.add(int(table[:place].sum()), int(table[place]))
        if far:
            beyond = abs(number) - reach
            length = beyond.bit_length() - 1
            self._raw(int(number < 0), 1)
            self._raw(length, LENGTH_BITS)
            self._raw(beyond - (1 << length), length)
        self._raw(whole & ((1 << bits) - 1), bits)

    def _raw(self, value: int, bits: int) -> None:
        if bits:
            free = PROBABILITY_BITS - bits
            self.add(value << free, 1 << free)

    def add(self, start: int, frequency: int) -> None:
        """Write a symbol that has `frequency` of the 2**16 numbers, from `start` on."""
        self.starts.append(start)
        self.frequencies.append(frequency)
