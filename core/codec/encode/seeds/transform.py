"""Pixels to wavelet coefficients in opponent colours: what seeds are rounded from.

In floats: an encoder may do as it likes. core.codec.format.seeds.arithmetic has the way back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regrow.core.codec.format.seeds.arithmetic import EXACT_LIFTING, EXACT_SCALING, OPPONENT
from regrow.core.codec.format.seeds.geometry import levels_of
from regrow.core.codec.images import Pixels

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Of a patch, in the range of pixels, nearly orthonormal: an error here is as large as its error in the pixels.

    low_pass: float32 (colours, h, w). details: coarse to fine, each HL, LH, HH of such planes.
    """

    low_pass: Floats
    details: tuple[tuple[Floats, Floats, Floats], ...]


def coefficients_of(pixels: Pixels) -> Coefficients:
    """Of a patch's pixels, uint8 (height, width, 1 or 3)."""
    return transformed(opponent(pixels))


def transformed(planes: Floats) -> Coefficients:
    """Of planes (colours, height, width) in opponent colours."""
    details: list[tuple[Floats, Floats, Floats]] = []
    for _ in range(levels_of((planes.shape[1], planes.shape[2]))):
        planes, bands = split(planes)
        details.append(bands)
    return Coefficients(planes, tuple(reversed(details)))


def opponent(pixels: Pixels) -> Floats:
    """Pixels (height, width, 1 or 3) as planes around zero, float32 (1 or 3, height, width). Grey is all brightness."""
    centred = pixels.transpose(2, 0, 1) / np.float32(255) - np.float32(0.5)
    if len(centred) == 1:
        return np.asarray(centred * np.float32(3**0.5), dtype=np.float32)
    planes: Floats = np.einsum("dc,chw->dhw", np.array(OPPONENT, dtype=np.float32), centred)
    return planes


def split(planes: Floats) -> tuple[Floats, tuple[Floats, Floats, Floats]]:
    """A scale (colours, h, w) as the scale below, half as large, and its details HL, LH and HH."""
    low, high = _split(planes)
    ll, lh = (np.swapaxes(part, -1, -2) for part in _split(np.swapaxes(low, -1, -2)))
    hl, hh = (np.swapaxes(part, -1, -2) for part in _split(np.swapaxes(high, -1, -2)))
    return ll, (hl, lh, hh)


def _split(samples: Floats) -> tuple[Floats, Floats]:
    """The wavelet of the last axis: its even and its odd coefficients."""
    even, odd = samples[..., 0::2].copy(), samples[..., 1::2].copy()
    to_odd, to_even, to_odd_again, to_even_again = (np.float32(constant) for constant in EXACT_LIFTING)
    odd += to_odd * _beside_odd(even, odd.shape[-1])
    even += to_even * _beside_even(odd, even.shape[-1])
    odd += to_odd_again * _beside_odd(even, odd.shape[-1])
    even += to_even_again * _beside_even(odd, even.shape[-1])
    return even * np.float32(EXACT_SCALING), odd / np.float32(EXACT_SCALING)


def _beside_odd(even: Floats, odds: int) -> Floats:
    """For every odd sample the sum of its two even neighbours; at the end, one twice."""
    after = np.concatenate([even[..., 1:], even[..., -1:]], axis=-1)[..., :odds]
    return np.asarray(even[..., :odds] + after)


def _beside_even(odd: Floats, evens: int) -> Floats:
    """For every even sample the sum of its two odd neighbours; at the ends, one twice."""
    before = np.concatenate([odd[..., :1], odd], axis=-1)[..., :evens]
    after = np.concatenate([odd, odd[..., -1:]], axis=-1)[..., :evens]
    return np.asarray(before + after)
