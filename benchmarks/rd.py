"""`regrow bench rd`: bytes against PSNR, beside the usual codecs, all of them measured on whole files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from regrow.benchmarks.bd_rate import bd_rate
from regrow.benchmarks.machine import machine
from regrow.benchmarks.rd_codecs import CODECS, codec_curves
from regrow.benchmarks.rd_curve import Curve
from regrow.benchmarks.rd_rules import USUAL, PresetFit, fit_preset, hull_curve, levels_of, preset_curve
from regrow.core.codec.encode.other_codecs import JPEG_444, Codec
from regrow.core.codec.fit.engines import make_engine
from regrow.core.codec.format.payload import HEAD_BYTES
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.settings import EncodeSettings

REGROW = "regrow"
"""The curve of the best preset and level for each patch."""

RANGES = {JPEG_444.name: (26.0, 33.0)}
"""dB over which a codec is compared; the others wherever both curves are."""


def bench_rd(
    pictures: Sequence[Picture],
    effort: Effort,
    presets: Sequence[Preset] = tuple(Preset),
    codecs: Sequence[Codec] = CODECS,
) -> dict[str, Any]:
    """Curves of every preset, of the best choice among them and of every codec; BD-rates; what presets reach."""
    settings = EncodeSettings(effort=effort)
    # Compiled code is loaded by a fit that nobody times.
    fit_preset(pictures[:1], EncodeSettings(effort=Effort.DRAFT), Preset.MICRO)
    fits = [fit_preset(pictures, settings, preset) for preset in presets]
    own = [preset_curve(pictures, settings, fit) for fit in fits]
    ours = [hull_curve(REGROW, pictures, settings, fits), *own]
    others = codec_curves(pictures, codecs)
    return {
        "machine": machine(),
        "engine": make_engine().name,
        "pictures": len(pictures),
        "side": pictures[0].height,
        "seed": str(settings.seed),
        "effort": str(effort),
        "levels": ", ".join(f"{level:g}" for level in levels_of(settings)),
        "targets": [_target_row(fit, curve, settings) for fit, curve in zip(fits, own, strict=True)],
        "bd_rate": bd_rate_rows(ours, others),
        "curves": [row for curve in (*ours, *others) for row in curve.rows()],
    }


def bd_rate_rows(ours: Sequence[Curve], others: Sequence[Curve]) -> list[dict[str, Any]]:
    """Each of our curves against each codec, on the curves of means; None where they share too little PSNR."""
    rows = []
    for curve in ours:
        for other in others:
            found = bd_rate(other.samples, curve.samples, *RANGES.get(other.name, (-math.inf, math.inf)))
            rows.append(
                {
                    "curve": curve.name,
                    "against": other.name,
                    "percent": found and found.percent,
                    "from_db": found and found.low,
                    "to_db": found and found.high,
                }
            )
    return rows


def _target_row(fit: PresetFit, curve: Curve, settings: EncodeSettings) -> dict[str, Any]:
    """What one preset reaches with the usual quantisation steps.

    The loss is negative where training with noise went on improving a rule that training without had left unfinished.
    """
    number = levels_of(settings).index(USUAL)
    point = curve.points[number]
    chosen = [candidate for patches in fit.of_level(number) for candidate in patches]
    bits = [8 * (len(each.payload) - HEAD_BYTES) / each.shape.parameters for each in chosen]
    float_psnr = float(fit.float_psnr.mean())
    return {
        "preset": str(fit.preset),
        "mean_bytes": point.mean_bytes,
        "mean_psnr": point.mean_psnr,
        "mean_ssim": point.mean_ssim,
        "bits_per_weight": float(np.mean(bits)),
        "float_psnr": float_psnr,
        "loss_from_float_db": float_psnr - point.mean_psnr,
        "train_seconds_per_patch": fit.train_seconds,
        "round_seconds_per_patch": fit.round_seconds,
        "seconds_per_patch": fit.train_seconds + fit.round_seconds,
    }
