"""Curves of rate and distortion: what files of one codec take, and how good they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from regrow.core.codec.quality import Quality


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """One picture in one file. size: of the whole file, bytes."""

    size: int
    quality: Quality


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


@dataclass(frozen=True, slots=True)
class Curve:
    """One codec over its settings."""

    name: str
    points: tuple[CurvePoint, ...]

    @property
    def samples(self) -> list[tuple[float, float]]:
        """Mean bytes and mean PSNR of each point."""
        return [(point.mean_bytes, point.mean_psnr) for point in self.points]

    def rows(self) -> list[dict[str, Any]]:
        """The points, for tables and JSON."""
        return [
            {
                "curve": self.name,
                "setting": point.setting,
                "mean_bytes": point.mean_bytes,
                "mean_psnr": point.mean_psnr,
                "mean_ssim": point.mean_ssim,
                "mean_mse": point.mean_mse,
            }
            for point in self.points
        ]
