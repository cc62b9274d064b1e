"""The CDF 9/7 wavelet by lifting, in floats, differentiable; sides of any length from 2.

Source: Cohen, Daubechies, Feauveau (1992); Daubechies and Sweldens (1998) for the lifting; extension at the ends is
symmetric, as in JPEG 2000 (ISO/IEC 15444-1, annex F). Scaled to be nearly orthonormal.
"""

from __future__ import annotations

import torch
from torch import Tensor

from regrow.core.codec.format.seeds.arithmetic import EXACT_LIFTING, EXACT_SCALING, OPPONENT


def _to_odd(even: Tensor, odds: int) -> Tensor:
    """For every odd sample the sum of its two even neighbours, along the last axis."""
    after = even[..., 1:]
    if after.shape[-1] < odds:
        after = torch.cat([after, even[..., -1:]], -1)
    return even[..., :odds] + after


def _to_even(odd: Tensor, evens: int) -> Tensor:
    """For every even sample the sum of its two odd neighbours."""
    before = torch.cat([odd[..., :1], odd], -1)
    after = odd if odd.shape[-1] == evens else torch.cat([odd, odd[..., -1:]], -1)
    return before[..., :evens] + after


def _split(samples: Tensor) -> tuple[Tensor, Tensor]:
    even, odd = samples[..., 0::2], samples[..., 1::2]
    a, b, c, d = EXACT_LIFTING
    odd = odd + a * _to_odd(even, odd.shape[-1])
    even = even + b * _to_even(odd, even.shape[-1])
    odd = odd + c * _to_odd(even, odd.shape[-1])
    even = even + d * _to_even(odd, even.shape[-1])
    return even * EXACT_SCALING, odd / EXACT_SCALING


def _join(even: Tensor, odd: Tensor) -> Tensor:
    a, b, c, d = EXACT_LIFTING
    even, odd = even / EXACT_SCALING, odd * EXACT_SCALING
    even = even - d * _to_even(odd, even.shape[-1])
    odd = odd - c * _to_odd(even, odd.shape[-1])
    even = even - b * _to_even(odd, even.shape[-1])
    odd = odd - a * _to_odd(even, odd.shape[-1])
    joined = torch.stack([even[..., : odd.shape[-1]], odd], -1).flatten(-2)
    return joined if even.shape[-1] == odd.shape[-1] else torch.cat([joined, even[..., -1:]], -1)


def _turned(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return pair[0].transpose(-1, -2), pair[1].transpose(-1, -2)


def forward(picture: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """The half-size picture (..., ceil(h/2), ceil(w/2)) and its details across, down and both (HL, LH, HH)."""
    low, high = _split(picture)
    ll, lh = _turned(_split(low.transpose(-1, -2)))
    hl, hh = _turned(_split(high.transpose(-1, -2)))
    return ll, (hl, lh, hh)


def inverse(ll: Tensor, details: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """What `forward` was given."""
    hl, lh, hh = details
    low = _join(ll.transpose(-1, -2), lh.transpose(-1, -2)).transpose(-1, -2)
    high = _join(hl.transpose(-1, -2), hh.transpose(-1, -2)).transpose(-1, -2)
    return _join(low, high)


def to_opponent(rgb: Tensor) -> Tensor:
    """(G, 3, h, w) in [0, 1] as opponent colours around zero."""
    return torch.einsum("dc,gchw->gdhw", rgb.new_tensor(OPPONENT), rgb - 0.5)


def to_rgb(opponent: Tensor) -> Tensor:
    """What `to_opponent` was given."""
    return torch.einsum("dc,gdhw->gchw", opponent.new_tensor(OPPONENT), opponent) + 0.5
