"""How good a regrown picture is, and how small its file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.codec.images import Pixels

PSNR_OF_EQUAL_PICTURES = 100.0
"""What is reported, in dB, where the error is zero and the PSNR would be infinite."""

SSIM_WINDOW = 11


@dataclass(frozen=True, slots=True)
class Quality:
    """mse: mean squared error, 8-bit levels squared; psnr: dB; ssim: in [-1, 1], None where a side is under 11 pixels.

    All over every channel, alpha included, of the picture as regrown from the stored file.
    """

    mse: float
    psnr: float
    ssim: float | None


def psnr_from_mse(mse: float) -> float:
    """Peak signal-to-noise ratio in dB for a peak of 255."""
    return PSNR_OF_EQUAL_PICTURES if mse == 0 else float(10 * np.log10(255.0**2 / mse))


def measure(original: Pixels, regrown: Pixels) -> Quality:
    """Compare two pictures of the same shape; uint8 (height, width, channels).

    SSIM is that of Wang et al. (2004): Gaussian window of 11×11 with sigma 1.5, K1 = 0.01, K2 = 0.03, population
    covariance, computed per channel and averaged.
    """
    difference = original.astype(np.float64) - regrown.astype(np.float64)
    mse = float(np.mean(difference**2))
    ssim = None
    if min(original.shape[:2]) >= SSIM_WINDOW:
        from skimage.metrics import (
            structural_similarity,  # half a second to import, and only encoders need it
        )

        ssim = float(
            structural_similarity(
                original,
                regrown,
                channel_axis=-1,
                data_range=255,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
        )
    return Quality(mse=mse, psnr=psnr_from_mse(mse), ssim=ssim)


def compression_ratio(stored_bytes: int, original_bytes: int) -> float:
    """The paper's CR = 1 − size(θ)/size(I)."""
    return 1.0 - stored_bytes / original_bytes
