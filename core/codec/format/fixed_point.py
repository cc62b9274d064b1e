"""Growth in integers: the arithmetic of bundle version 1, which every decoder must follow to the last bit.

Floats differ from machine to machine, in the order of sums and in fused operations; integers do not. A rule's weights
are one-byte symbols, a state counts units of 2**-16, and four numbers per rule say how products are shifted back into
that unit. `grow` is the reference that the fast engines are compared with; numpy only. docs/FORMAT.md specifies it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from regrow.core.codec.fire import fire_mask
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape, tensor_slices
from regrow.core.codec.seeds import SeedKind, exact_seed
from regrow.core.errors import DamagedBundle

Integers = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

STATE_BITS = 16
STATE_LIMIT = 1 << 30
CODE_LIMIT = 32767
"""Perception and hidden layer lie in ±CODE_LIMIT: 16 bits without their least value, so that pairs can be multiplied
and added in 32 bits."""
SYMBOL_LIMIT = 127
MANTISSA_BITS = 15
GAINS_PER_OCTAVE = 8
MANTISSAS = (32768, 35734, 38968, 42495, 46341, 50535, 55109, 60097)
"""round(2 ** (15 + i / 8)); written out, because it is part of the format."""

_RANGES = {"gain": (0, 255), "precision": (4, 15), "bias_shift": (0, 23), "hidden_shift": (0, 15)}
_SHIFTS = (1, 46)


@dataclass(frozen=True, slots=True)
class Scales:
    """The four numbers of a rule that say what its symbols mean. Raises DamagedBundle where one is out of range.

    gain: g, 0..255; the product of the quantisation step sizes of W1 and W2 is 2 ** (-g / 8).
    precision: p, 4..15; perception counts units of 2 ** -p.
    bias_shift: β, 0..23; the quantisation step size of b1 is that of W1 times 2 ** (β - p).
    hidden_shift: r, 0..15; the bits that the hidden layer drops.
    """

    gain: int
    precision: int
    bias_shift: int
    hidden_shift: int

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise DamagedBundle(f"a rule's {name.replace('_', ' ')} must be from {low} to {high}, not {value}")
        low, high = _SHIFTS
        if not low <= self.update_shift <= high:
            raise DamagedBundle(
                f"a rule's gain {self.gain}, precision {self.precision} and hidden shift {self.hidden_shift} make an "
                f"update shift of {self.update_shift}, which must be from {low} to {high}"
            )

    @property
    def mantissa(self) -> int:
        """m, by which an update is multiplied; 2**15 .. 2**16 - 1."""
        return MANTISSAS[-self.gain % GAINS_PER_OCTAVE]

    @property
    def update_shift(self) -> int:
        """n, the bits that an update drops after that; 1..46."""
        octave = -self.gain // GAINS_PER_OCTAVE
        return self.precision - self.hidden_shift - (STATE_BITS - MANTISSA_BITS) - octave


@dataclass(frozen=True, slots=True, eq=False)
class IntegerRule:
    """A rule as a bundle holds it. Raises DamagedBundle where a symbol is -128.

    symbols: int8 (parameters,), -127..127, in the order of core.codec.rule.tensor_slices.
    """

    symbols: npt.NDArray[np.int8] = field(repr=False)
    scales: Scales

    def __post_init__(self) -> None:
        if self.symbols.dtype != np.int8 or self.symbols.ndim != 1:
            raise ValueError(f"symbols are a vector of int8, not {self.symbols.dtype} {self.symbols.shape}")
        if (self.symbols < -SYMBOL_LIMIT).any():
            raise DamagedBundle("a rule has a symbol of -128, which is outside the range")


def stacked_symbols(shape: RuleShape, rules: Sequence[IntegerRule]) -> npt.NDArray[np.int8]:
    """The symbols of G rules of one shape, G >= 1; int8 (G, parameters)."""
    symbols = np.stack([rule.symbols for rule in rules])
    if symbols.shape[1] != shape.parameters:
        raise ValueError(f"a rule of this shape has {shape.parameters} symbols, not {symbols.shape[1]}")
    return symbols


def integer_seed(kind: SeedKind, shape: RuleShape, size: int) -> Integers:
    """core.codec.seeds.exact_seed in units of 2 ** -16, rounded half up; int32 (channels, size, size).

    No value of any size up to 255 comes so near to a rounding tie that the last bits of a machine's sine matter (a test
    looks at all of them).
    """
    return np.floor(exact_seed(kind, shape, size) * (1 << STATE_BITS) + 0.5).astype(np.int32)


def visible_pixels(states: Integers) -> npt.NDArray[np.uint8]:
    """The pixels that visible channels show, whatever the array's shape; black at -2**15, white at 2**15."""
    half = 1 << (STATE_BITS - 1)
    brightness = np.clip(states, -half, half)
    brightness += half
    brightness *= 255
    brightness += half
    brightness >>= STATE_BITS
    return brightness.astype(np.uint8)


def grow(shape: RuleShape, rule: IntegerRule, seed: Integers, rollout: Rollout, steps: int | None = None) -> Integers:
    """The state that one rule grows from a seed (channels, height, width) within ±2**30; int32, of the seed's shape.

    steps: stop after so many updates; all of the rollout's where None.
    """
    _, height, width = seed.shape
    w1, b1, w2 = (stacked_symbols(shape, [rule])[0, part].astype(np.float64) for part in tensor_slices(shape))
    w1, w2 = w1.reshape(shape.hidden, shape.perceived), w2.reshape(shape.channels, shape.hidden)
    scales = rule.scales
    bias = b1[:, None] * (1 << scales.bias_shift)
    state = seed.astype(np.int64).reshape(shape.channels, -1)
    for step in range(rollout.steps if steps is None else steps):
        perceived = _perceive(state.reshape(seed.shape), scales.precision)
        # Products in float64, for which BLAS has fast code. They are exact: all terms and all sums are integers below
        # 2**53, so that neither the order of a sum nor fused operations can matter.
        inputs = (w1 @ perceived.astype(np.float64) + bias).astype(np.int64)
        hidden = np.minimum(_shift_rounded(np.maximum(inputs, 0), scales.hidden_shift), CODE_LIMIT)
        sums = (w2 @ hidden.astype(np.float64)).astype(np.int64)
        update = _shift_rounded(sums * scales.mantissa, scales.update_shift)
        if rollout.fire_rate:
            update *= fire_mask(rollout.fire_key, step, height, width, rollout.fire_rate).reshape(-1)
        state = np.clip(state + update, -STATE_LIMIT, STATE_LIMIT)
    return state.reshape(seed.shape).astype(np.int32)


def _shift_rounded(values: Longs, bits: int) -> Longs:
    """values / 2**bits, rounded half up."""
    return (values + (1 << bits >> 1)) >> bits


def _perceive(state: Longs, precision: int) -> Longs:
    """z: codes, Sobel-x and Sobel-y of (channels, H, W), zeros outside; (3·channels, H·W) within ±CODE_LIMIT."""
    codes = np.clip(_shift_rounded(state, STATE_BITS - precision), -CODE_LIMIT, CODE_LIMIT)
    padded = np.pad(codes, ((0, 0), (1, 1), (1, 1)))
    down = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    across = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    sobel_x = _shift_rounded(down[:, :, 2:] - down[:, :, :-2], 3)
    sobel_y = _shift_rounded(across[:, 2:] - across[:, :-2], 3)
    return np.concatenate((codes, sobel_x, sobel_y)).reshape(3 * len(state), -1)
