"""How the alpha of a patch is coded: without loss, pixel by pixel, from the pixels that are known.

A pixel is predicted from its neighbours at the left and above as in LOCO-I (Weinberger, Seroussi and Sapiro, 2000). One
bit says whether the prediction is wrong, eight more by how much it then is. Every bit has a probability that follows
what came up before in its context. What lies outside of the patch counts as 255.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from regrow.core.codec.format.seeds.coder import PROBABILITY_BITS, Reader
from regrow.core.codec.format.seeds.symbols import Writer

Alpha = npt.NDArray[np.uint8]

OPAQUE = 255
WRONG_CONTEXTS, ERROR_CONTEXTS = 64, 256
CONTEXTS = WRONG_CONTEXTS + 3 * ERROR_CONTEXTS
"""Of a bit: 64 of whether the prediction is wrong, then 256 of the error for each of three degrees of unrest."""

UNREST = 32
SLOWEST = 5
"""A probability moves by 2**-1 of what it is off by at first, then by 2**-2, and so on, but never by less than this."""

_MARGIN = 2

CodeBit = Callable[[int, int], int]
"""A bit in a context: given the true bit by a writer, which gives it back; a reader ignores it and gives its own."""


class _Chances:
    """Of every context: how likely a bit of 0 is, of 2**16, and how many bits it has had."""

    def __init__(self) -> None:
        self.zero = [1 << PROBABILITY_BITS - 1] * CONTEXTS
        self._bits = [0] * CONTEXTS

    def follow(self, context: int, bit: int) -> None:
        self._bits[context] += 1
        shift, zero = min(self._bits[context], SLOWEST), self.zero[context]
        self.zero[context] += -(zero >> shift) if bit else ((1 << PROBABILITY_BITS) - zero) >> shift


def read_alpha(reader: Reader, size: tuple[int, int]) -> Alpha:
    """The alpha of a patch, uint8 (height, width). Raises DamagedBundle."""
    chances = _Chances()

    def read(context: int, _: int) -> int:
        zero = chances.zero[context]
        bit = int(reader.place() >= zero)
        reader.take(*((zero, (1 << PROBABILITY_BITS) - zero) if bit else (0, zero)))
        chances.follow(context, bit)
        return bit

    alpha = np.zeros(size, dtype=np.uint8)
    _code(alpha, read)
    return alpha


def write_alpha(writer: Writer, alpha: Alpha) -> None:
    """Write the alpha of a patch, uint8 (height, width)."""
    chances = _Chances()

    def write(context: int, bit: int) -> int:
        zero = chances.zero[context]
        writer.add(*((zero, (1 << PROBABILITY_BITS) - zero) if bit else (0, zero)))
        chances.follow(context, bit)
        return bit

    _code(alpha.copy(), write)


def _code(alpha: Alpha, bit: CodeBit) -> None:
    """All pixels, row by row; a reader's are filled in."""
    padded = np.pad(alpha.astype(np.int32), _MARGIN, constant_values=OPAQUE)
    for row in range(alpha.shape[0]):
        for column in range(alpha.shape[1]):
            padded[row + _MARGIN, column + _MARGIN] = _code_pixel(padded, row + _MARGIN, column + _MARGIN, bit)
    alpha[...] = padded[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]


def _code_pixel(padded: npt.NDArray[np.int32], row: int, column: int, bit: CodeBit) -> int:
    """One pixel of a plane with a margin."""
    left, above, corner, right, far_left, far_above = (
        int(padded[row + down, column + right])
        for down, right in ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0))
    )
    least, most = min(left, above), max(left, above)
    predicted = least if corner >= most else most if corner <= least else left + above - corner
    context = 0
    for known in (left, above, corner, right, far_left, far_above):
        context = 2 * context + (known == predicted)
    error = (int(padded[row, column]) - predicted) & 0xFF
    if not bit(context, int(error != 0)):
        return predicted
    spread = max(most, corner, right) - min(least, corner, right)
    unrest = WRONG_CONTEXTS + ERROR_CONTEXTS * ((spread > 0) + (spread >= UNREST))
    node = 1
    for place in range(7, -1, -1):
        node = 2 * node + bit(unrest + node, error >> place & 1)
    return (predicted + node) & 0xFF
