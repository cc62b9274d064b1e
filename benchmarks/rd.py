"""`regrow bench rd`: bytes against quality, beside the usual codecs, all of them measured on whole files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from regrow.benchmarks.machine import machine
from regrow.benchmarks.rd_codecs import AVIF_SPEED, codec_curves, contenders
from regrow.benchmarks.rd_compare import band_rows, bd_rate_rows, equal_bytes_rows, where_it_loses
from regrow.benchmarks.rd_curve import Curve
from regrow.benchmarks.rd_rules import USUAL, PresetFit, fit_preset, hull_curve, levels_of, preset_curve
from regrow.benchmarks.rd_seeds import seeds_curve
from regrow.benchmarks.rd_store import Measurer
from regrow.core.codec.fit.engines import make_engine
from regrow.core.codec.format.payload import HEAD_BYTES
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.profile import Profile
from regrow.core.codec.settings import EncodeSettings

RULES = "rules"
"""The curve of the best preset and level for each patch."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be measured. pictures: what they are, for people. presets: of the profile `rules`."""

    pictures: str
    effort: Effort = Effort.STANDARD
    profiles: Sequence[Profile] = tuple(Profile)
    presets: Sequence[Preset] = tuple(Preset)
    avif_speed: int = AVIF_SPEED


def bench_rd(pictures: Sequence[Picture], asked: Asked, measurer: Measurer) -> dict[str, Any]:
    """Curves of the profiles, of every preset and of every codec; BD-rates; what presets reach; where we lose."""
    best, presets, facts = list[Curve](), list[Curve](), dict[str, Any]()
    if Profile.SEEDS in asked.profiles:
        best.append(seeds_curve(pictures, asked.effort, measurer))
    if Profile.RULES in asked.profiles:
        hull, presets, facts = _rules(pictures, asked, measurer)
        best.append(hull)
    others = codec_curves(pictures, contenders(asked.avif_speed), measurer)
    return {
        "machine": machine(),
        "pictures": len(pictures),
        "size": asked.pictures,
        "effort": str(asked.effort),
        "avif_speed": asked.avif_speed,
        **facts,
        "losses": " ".join(where_it_loses(curve, others) for curve in best),
        "bd_rate": bd_rate_rows([*best, *presets], others),
        "bd_rate_in_bands": band_rows(best, others),
        "in_equal_bytes": equal_bytes_rows(best[0], [*best, *others]),
        "curves": [row for curve in (*best, *presets, *others) for row in curve.rows()],
    }


def _rules(pictures: Sequence[Picture], asked: Asked, measurer: Measurer) -> tuple[Curve, list[Curve], Row]:
    """The curve of the best choice among the presets, theirs, and what else is told of them."""
    settings = EncodeSettings(effort=asked.effort)
    # Compiled code is loaded by a fit that nobody times.
    fit_preset(pictures[:1], EncodeSettings(effort=Effort.DRAFT), Preset.MICRO)
    fits = []
    for number, preset in enumerate(asked.presets):
        measurer.tell(RULES, number, len(asked.presets))
        fits.append(fit_preset(pictures, settings, preset))
    measurer.tell(RULES, len(fits), len(fits))
    curves = [preset_curve(pictures, settings, fit) for fit in fits]
    facts = {
        "engine": make_engine().name,
        "seed": str(settings.seed),
        "levels": ", ".join(f"{level:g}" for level in levels_of(settings)),
        "targets": [_target_row(fit, curve, settings) for fit, curve in zip(fits, curves, strict=True)],
    }
    return hull_curve(RULES, pictures, settings, fits), curves, facts


def _target_row(fit: PresetFit, curve: Curve, settings: EncodeSettings) -> Row:
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
