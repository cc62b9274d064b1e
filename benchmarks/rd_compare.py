"""What curves of rate and distortion say of each other: BD-rates by PSNR and SSIM, in bands, and who loses where."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator

from regrow.benchmarks.bd_rate import BdRate, Sample, bd_rate, front
from regrow.benchmarks.rd_curve import Curve

Row = dict[str, Any]

USUAL_RANGE = (25.0, 42.0)
"""dB of PSNR that pictures are looked at with."""

SSIM_RANGE = (7.0, 20.0)
"""SSIM of 0.8 to 0.99, as decibels."""

BANDS = tuple((low, low + 5.0) for low in (20.0, 25.0, 30.0, 35.0, 40.0, 45.0))
"""dB of PSNR."""

MATCHED = (25.0, 30.0, 35.0, 40.0)
"""dB of the curve whose bytes the others are looked up at."""


def bd_rate_rows(ours: Sequence[Curve], others: Sequence[Curve]) -> list[Row]:
    """Each of our curves against each codec, on the curves of means; None where they share too little."""
    rows = []
    for curve, other in _pairs(ours, others):
        rows.append(
            {
                "curve": curve.name,
                "against": other.name,
                **_columns("", bd_rate(other.samples, curve.samples, *USUAL_RANGE)),
                **_columns("everywhere_", bd_rate(other.samples, curve.samples)),
                **_columns("ssim_", bd_rate(other.ssim_samples, curve.ssim_samples, *SSIM_RANGE)),
            }
        )
    return rows


def band_rows(ours: Sequence[Curve], others: Sequence[Curve]) -> list[Row]:
    """BD-rates by PSNR, in per cent, band by band; of part of a band where the curves share no more."""
    rows = []
    for curve, other in _pairs(ours, others):
        row: Row = {"curve": curve.name, "against": other.name}
        for low, high in BANDS:
            found = bd_rate(other.samples, curve.samples, low, high)
            row[f"{low:g} to {high:g} dB"] = found and found.percent
        rows.append(row)
    return rows


def where_it_loses(curve: Curve, others: Sequence[Curve]) -> str:
    """A sentence: to which codecs a curve loses, in which bands of PSNR, and by SSIM."""
    losses = []
    for other in others:
        by_psnr = _lost(bd_rate(other.samples, curve.samples, *band) for band in BANDS)
        by_ssim = _lost([bd_rate(other.ssim_samples, curve.ssim_samples, *SSIM_RANGE)])
        parts = [f"{each.percent:+.1f} % at {each.low:.1f} to {each.high:.1f} dB" for each in by_psnr]
        parts += [f"{each.percent:+.1f} % by SSIM" for each in by_ssim]
        if parts:
            losses.append(f"{other.name} ({', '.join(parts)})")
    reached = front(curve.samples)
    text = f"{curve.name}, which reaches {reached[0][1]:.1f} to {reached[-1][1]:.1f} dB, loses to "
    return text + ("; ".join(losses) if losses else "none of these codecs in any band that both reach") + "."


def equal_bytes_rows(reference: Curve, curves: Sequence[Curve]) -> list[Row]:
    """PSNR and SSIM of every curve in as many bytes as the reference has at some PSNR; None beyond a curve's ends."""
    psnrs, sizes = _axes(front(reference.samples))
    if len(psnrs) < 2:
        return []
    wanted = [psnr for psnr in MATCHED if psnrs[0] <= psnr <= psnrs[-1]]
    bytes_at = [float(np.exp(PchipInterpolator(psnrs, np.log(sizes))(psnr))) for psnr in wanted]
    rows = []
    for curve in curves:
        row: Row = {"curve": curve.name}
        for size in bytes_at:
            similarity = _at(front(curve.ssim_samples), size)
            row[f"dB in {size:.0f} bytes"] = _at(front(curve.samples), size)
            row[f"SSIM in {size:.0f} bytes"] = similarity and 1 - 10 ** (-similarity / 10)
        rows.append(row)
    return rows


def _pairs(ours: Sequence[Curve], others: Sequence[Curve]) -> Iterator[tuple[Curve, Curve]]:
    return ((curve, other) for curve in ours for other in others)


def _columns(prefix: str, found: BdRate | None) -> Row:
    return {
        f"{prefix}percent": found and found.percent,
        f"{prefix}from_db": found and found.low,
        f"{prefix}to_db": found and found.high,
    }


def _lost(found: Iterable[BdRate | None]) -> list[BdRate]:
    """Those that are more bytes."""
    return [each for each in found if each is not None and each.percent > 0]


def _axes(samples: Sequence[Sample]) -> tuple[list[float], list[float]]:
    return [value for _, value in samples], [size for size, _ in samples]


def _at(samples: Sequence[Sample], size: float) -> float | None:
    """What a curve reaches in so many bytes, between its points."""
    values, sizes = _axes(samples)
    if len(sizes) < 2 or not sizes[0] <= size <= sizes[-1]:
        return None
    return float(PchipInterpolator(np.log(sizes), values)(math.log(size)))
