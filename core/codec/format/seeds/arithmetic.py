"""The integer arithmetic of the profile `seeds` but for its laws and rules: steps, wavelet, scales, colours.

numpy only, and the reference for the compiled decoder. A state counts units of 2**-16 of the range of pixels.
Lifting is that of core.codec.learn.wavelet.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from regrow.core.codec.format.seeds.contexts import INPUT_LIMIT, squash_table

Longs = npt.NDArray[np.int64]
Integers = npt.NDArray[np.int32]

STEP_CODES = 2561
"""Down to 2**-10: at finer steps a low-pass seed could be larger than SEED_LIMIT."""

STEPS_PER_OCTAVE = 256
MANTISSA_BITS = 15
MANTISSAS = np.rint(2.0 ** (MANTISSA_BITS + np.arange(STEPS_PER_OCTAVE) / STEPS_PER_OCTAVE)).astype(np.int64)
"""round(2 ** (15 + i / 256)); no value lies near a tie."""

SEED_LIMIT = 32767
SEED_BITS = 8
"""Seeds are brought back in units of 2**-8, so that a detail can be drawn towards zero by less than one."""

DETAIL_LIMIT = 1 << 24
STATE_LIMIT = 1 << 30
HIDDEN_LIMIT = 1 << 26
EXACT_LIFTING = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
EXACT_SCALING = 1.149604398860241
"""K, with which the CDF 9/7 wavelet is nearly orthonormal (Daubechies and Sweldens, 1998)."""

LIFTING = tuple(round(constant * 65536) for constant in EXACT_LIFTING)
"""The four constants of lifting in units of 2**-16."""

SCALING, UNSCALING = round(EXACT_SCALING * 65536), round(65536 / EXACT_SCALING)
"""K and 1 / K, likewise."""

OPPONENT = (
    (3**-0.5, 3**-0.5, 3**-0.5),
    (2**-0.5, 0.0, -(2**-0.5)),
    (-(6**-0.5), 2 * 6**-0.5, -(6**-0.5)),
)
"""Rows: brightness, red against blue, green against both; columns: red, green, blue. Orthonormal."""

TO_RGB = tuple(tuple(round(row[colour] * 65536) for row in OPPONENT) for colour in range(3))
"""Rows: red, green, blue; columns: opponent colours, in units of 2**-16."""

_HALF = 1 << 15


def rounded(values: Longs, bits: int) -> Longs:
    """values / 2**bits, rounded half up."""
    return (values + (1 << bits >> 1)) >> bits


def step_parts(code: int) -> tuple[int, int]:
    """The step size 2 ** (-code / 256) as mantissa · 2 ** (-15 - octaves): mantissa, octaves."""
    octaves = -(-code // STEPS_PER_OCTAVE)
    return int(MANTISSAS[octaves * STEPS_PER_OCTAVE - code]), octaves


def brought_back(numbers: Longs, code: int, level: int) -> Longs:
    """Seeds in units of 2**-8 as parts of a state, at a level of the wavelet."""
    mantissa, octaves = step_parts(code)
    return np.clip(rounded(numbers * mantissa, octaves + level + 7), -DETAIL_LIMIT, DETAIL_LIMIT)


def low_pass_state(seeds: Integers, code: int, levels: int) -> Longs:
    """What the low-pass seeds (..., h, w) stand for."""
    return brought_back(seeds.astype(np.int64) << SEED_BITS, code, levels)


def detail_state(seeds: Integers, shrink: int, code: int, level: int) -> Longs:
    """What a band's seeds stand for; shrink: in units of 2**-8, how much nearer to zero than their numbers say."""
    sizes = brought_back((np.abs(seeds.astype(np.int64)) << SEED_BITS) - shrink, code, level - 1)
    return np.sign(seeds) * sizes


def join(even: Longs, odd: Longs) -> Longs:
    """The inverse wavelet of one axis, the last: (..., ceil(n / 2)) and (..., floor(n / 2)) to (..., n)."""
    a, b, c, d = LIFTING
    even, odd = rounded(even * UNSCALING, 16), rounded(odd * SCALING, 16)
    even = even - rounded(d * _to_even(odd, even.shape[-1]), 16)
    odd = odd - rounded(c * _to_odd(even, odd.shape[-1]), 16)
    even = even - rounded(b * _to_even(odd, even.shape[-1]), 16)
    odd = odd - rounded(a * _to_odd(even, odd.shape[-1]), 16)
    out = np.empty((*even.shape[:-1], even.shape[-1] + odd.shape[-1]), dtype=np.int64)
    out[..., 0::2], out[..., 1::2] = even, odd
    return out


def _to_odd(even: Longs, odds: int) -> Longs:
    after: Longs = np.concatenate([even[..., 1:], even[..., -1:]], axis=-1)[..., :odds]
    return even[..., :odds] + after


def _to_even(odd: Longs, evens: int) -> Longs:
    before: Longs = np.concatenate([odd[..., :1], odd], axis=-1)[..., :evens]
    after: Longs = np.concatenate([odd, odd[..., -1:]], axis=-1)[..., :evens]
    return before + after


def inverse_wavelet(low: Longs, details: tuple[Longs, Longs, Longs]) -> Longs:
    """The picture of the next scale: of the scale's own and its details, all in the range of pixels."""
    hl, lh, hh = details
    left = np.swapaxes(join(np.swapaxes(2 * low, -1, -2), np.swapaxes(lh, -1, -2)), -1, -2)
    right = np.swapaxes(join(np.swapaxes(hl, -1, -2), np.swapaxes(hh, -1, -2)), -1, -2)
    return np.clip(join(left, right), -STATE_LIMIT, STATE_LIMIT)


def enlarged(hidden: Longs, size: tuple[int, int]) -> Longs:
    """Hidden channels (n, h, w), twice as large, bilinear, cut to `size`."""
    limited = np.clip(hidden, -HIDDEN_LIMIT, HIDDEN_LIMIT)
    wide = _doubled(limited)[..., : size[1]]
    both = np.swapaxes(_doubled(np.swapaxes(wide, -1, -2)), -1, -2)[..., : size[0], :]
    return rounded(both, 4)


def _doubled(values: Longs) -> Longs:
    """Four times the values at quarter places along the last axis; ends are repeated."""
    before = np.concatenate([values[..., :1], values[..., :-1]], axis=-1)
    after = np.concatenate([values[..., 1:], values[..., -1:]], axis=-1)
    out = np.empty((*values.shape[:-1], 2 * values.shape[-1]), dtype=np.int64)
    out[..., 0::2], out[..., 1::2] = 3 * values + before, 3 * values + after
    return out


def squashed(seeds: Integers) -> Integers:
    """sign · ln(1 + |seed|) / 2 in units of 2**-8."""
    table = squash_table()
    signed: Integers = np.sign(seeds) * table[np.minimum(np.abs(seeds), len(table) - 1)]
    return signed


def told_step(code: int) -> int:
    """The step size as laws and rules are told it, in units of 2**-8."""
    return (896 - code) >> 1


def told_level(level: int) -> int:
    """The level, likewise."""
    return 128 * (level - 2)


def constants(weights: Integers, code: int, level: int) -> Longs:
    """What the hidden channels (n,) of a scale are given; weights: (3, n)."""
    wide: Longs = weights.astype(np.int64)
    told: Longs = told_step(code) * wide[1] + told_level(level) * wide[2]
    given: Longs = wide[0] + rounded(told, 8)
    return given


def limited_input(values: Longs) -> Longs:
    """As the law networks see values that count units of 2**-8."""
    return np.clip(values, -INPUT_LIMIT, INPUT_LIMIT)


def pixels_of(colours: Longs) -> npt.NDArray[np.uint8]:
    """Opponent colours (1 or 3, h, w) of the finished state as uint8 (h, w, 1 or 3)."""
    limited = np.clip(colours, -(1 << 20), 1 << 20)
    matrix = np.array(TO_RGB, dtype=np.int64)[: len(colours), : len(colours)]
    rgb = np.clip(rounded(np.einsum("dc,chw->hwd", matrix, limited), 16) + _HALF, 0, 2 * _HALF)
    return ((255 * rgb + _HALF) >> 16).astype(np.uint8)
