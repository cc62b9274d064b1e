"""The Bjøntegaard delta rate: how many per cent more bytes one codec takes than another for the same PSNR.

Bjøntegaard, VCEG-M33 (2001), with monotone cubics (PCHIP) in place of one cubic, as is usual today: the mean difference
of log(bytes) over a range of PSNR.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

Sample = tuple[float, float]
"""Bytes, PSNR in dB."""

NARROWEST = 0.5
"""dB that two curves must share: a mean over less would be the noise of a single setting."""


@dataclass(frozen=True, slots=True)
class BdRate:
    """percent: negative where fewer bytes are taken. low, high: the range compared, dB."""

    percent: float
    low: float
    high: float


def bd_rate(
    anchor: Iterable[Sample], other: Iterable[Sample], low: float = -math.inf, high: float = math.inf
) -> BdRate | None:
    """Bytes of `other` against those of `anchor`, over as much of low..high dB as both reach; None under NARROWEST.

    Nothing is extrapolated.
    """
    first, second = front(anchor), front(other)
    if min(len(first), len(second)) < 2:
        return None
    low = max(low, first[0][1], second[0][1])
    high = min(high, first[-1][1], second[-1][1])
    if high - low < NARROWEST:
        return None
    difference = (_log_bytes(second).integrate(low, high) - _log_bytes(first).integrate(low, high)) / (high - low)
    return BdRate(100 * math.expm1(float(difference)), low, high)


def front(samples: Iterable[Sample]) -> list[Sample]:
    """The samples that no other beats in both bytes and PSNR, both rising: what a user of a codec would choose."""
    kept: list[Sample] = []
    for sample in sorted(samples, key=lambda sample: (sample[0], -sample[1])):
        if not kept or sample[1] > kept[-1][1]:
            kept.append(sample)
    return kept


def _log_bytes(samples: list[Sample]) -> PchipInterpolator:
    """log(bytes) as a function of PSNR."""
    sizes, psnrs = zip(*samples, strict=True)
    return PchipInterpolator(psnrs, np.log(sizes))
