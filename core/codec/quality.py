"""How good a regrown picture is, and how small its file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from regrow.core.codec.alpha import seen
from regrow.core.codec.images import Pixels

PSNR_OF_EQUAL_PICTURES = 100.0
"""What is reported, in dB, where the error is zero and the PSNR would be infinite."""

SSIM_WINDOW = 11

BAND_ROWS = 128
"""Rows that are compared at a time: SSIM takes some hundred bytes of memory for each of their values."""


@dataclass(frozen=True, slots=True)
class Quality:
    """mse: mean squared error, 8-bit levels squared; psnr: dB; ssim: in [-1, 1], None where a side is under 11 pixels.

    All of the picture as regrown from the stored file, over every channel, alpha included. With alpha, colours are
    multiplied by it first (core.codec.alpha.seen): what nobody sees counts for nothing, what is half seen for half.
    """

    mse: float
    psnr: float
    ssim: float | None


def psnr_from_mse(mse: float) -> float:
    """Peak signal-to-noise ratio in dB for a peak of 255."""
    return PSNR_OF_EQUAL_PICTURES if mse == 0 else float(10 * np.log10(255.0**2 / mse))


def squared_error(original: Pixels, regrown: Pixels) -> int:
    """The sum of squared differences of what is seen of two pictures of the same shape; 8-bit levels squared.

    original, regrown: uint8 (height, width, channels), alpha not multiplied in.
    """
    total = 0
    for first in range(0, len(original), BAND_ROWS):
        band = np.s_[first : first + BAND_ROWS]
        difference = seen(original[band]).astype(np.int32) - seen(regrown[band])
        total += int(np.sum(difference * difference, dtype=np.int64))
    return total


def measure(original: Pixels, regrown: Pixels) -> Quality:
    """Compare what is seen of two pictures of the same shape; uint8 (height, width, channels), alpha not multiplied in.

    SSIM is that of Wang et al. (2004): Gaussian window of 11×11 with sigma 1.5, K1 = 0.01, K2 = 0.03, population
    covariance, computed per channel and averaged.
    """
    mse = squared_error(original, regrown) / original.size
    ssim = _ssim(seen(original), seen(regrown)) if min(original.shape[:2]) >= SSIM_WINDOW else None
    return Quality(mse=mse, psnr=psnr_from_mse(mse), ssim=ssim)


def _ssim(original: Pixels, regrown: Pixels) -> float:
    """In bands of rows, as many windows in each, and those that reach beyond the picture in none: less memory."""
    from skimage.metrics import structural_similarity  # half a second to import, and only encoders need it

    total, windows = 0.0, len(original) - SSIM_WINDOW + 1
    for first in range(0, windows, BAND_ROWS):
        count = min(BAND_ROWS, windows - first)
        band = np.s_[first : first + count + SSIM_WINDOW - 1]
        total += count * float(
            structural_similarity(
                original[band],
                regrown[band],
                channel_axis=-1,
                data_range=255,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
        )
    return total / windows


def compression_ratio(stored_bytes: int, original_bytes: int) -> float:
    """The paper's CR = 1 − size(θ)/size(I)."""
    return 1.0 - stored_bytes / original_bytes
