"""Curves of rate and distortion: what files of one codec take, and how good they are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from regrow.core.codec.quality import Quality

LEAST_UNLIKE = 1e-10
"""What 1 − SSIM counts as where it is less: 100 dB, as of PSNR."""

WITHOUT_CONTAINER = "without its container"


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """One picture in one file. size: of the whole file, bytes. coded: without the container, where that is asked."""

    size: int
    quality: Quality
    coded: int | None = None

    @property
    def ssim_db(self) -> float | None:
        """−10 · log10(1 − SSIM), which is to SSIM as PSNR is to the squared error; None where there is no SSIM."""
        ssim = self.quality.ssim
        return None if ssim is None else -10 * math.log10(max(1 - ssim, LEAST_UNLIKE))


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """All pictures, in their order, at one setting of a codec. Means are over pictures."""

    setting: str
    files: tuple[StoredPicture, ...]

    @property
    def mean_bytes(self) -> float:
        return float(np.mean([file.size for file in self.files]))

    @property
    def mean_psnr(self) -> float:
        """dB; the mean of the pictures' PSNR, as papers report it, not the PSNR of the mean error."""
        return float(np.mean([file.quality.psnr for file in self.files]))

    @property
    def mean_mse(self) -> float:
        """Squared 8-bit levels."""
        return float(np.mean([file.quality.mse for file in self.files]))

    @property
    def mean_ssim(self) -> float | None:
        """None where the pictures are too small for SSIM."""
        values = [file.quality.ssim for file in self.files if file.quality.ssim is not None]
        return float(np.mean(values)) if values else None

    @property
    def mean_ssim_db(self) -> float | None:
        """The mean of the pictures' decibels; None where one picture is too small for SSIM."""
        values = [file.ssim_db for file in self.files]
        return float(np.mean(values)) if None not in values else None  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Curve:
    """One codec over its settings."""

    name: str
    points: tuple[CurvePoint, ...]

    @property
    def samples(self) -> list[tuple[float, float]]:
        """Mean bytes and mean PSNR of each point."""
        return [(point.mean_bytes, point.mean_psnr) for point in self.points]

    @property
    def ssim_samples(self) -> list[tuple[float, float]]:
        """Mean bytes and mean SSIM in decibels of each point; none where a picture is too small for SSIM."""
        every = [(point.mean_bytes, point.mean_ssim_db) for point in self.points]
        return [(size, ssim) for size, ssim in every if ssim is not None]

    def without_container(self) -> Curve:
        """The same files, counted without what is around the coded picture. Each must know its `coded`."""
        points = []
        for point in self.points:
            files = tuple(replace(file, size=file.coded or 0) for file in point.files)
            points.append(CurvePoint(point.setting, files))
        return Curve(f"{self.name} {WITHOUT_CONTAINER}", tuple(points))

    def rows(self) -> list[dict[str, Any]]:
        """The points, for tables and JSON."""
        return [
            {
                "curve": self.name,
                "setting": point.setting,
                "mean_bytes": point.mean_bytes,
                "mean_psnr": point.mean_psnr,
                "mean_ssim": point.mean_ssim,
                "mean_ssim_db": point.mean_ssim_db,
                "mean_mse": point.mean_mse,
            }
            for point in self.points
        ]
