from __future__ import annotations

import numpy as np
import pytest

from regrow.core.codec.quality import compression_ratio, measure
from tests.pictures import smooth_pixels


def test_psnr_and_mse_by_hand() -> None:
    original = np.zeros((20, 20, 3), np.uint8)
    quality = measure(original, original + np.uint8(5))
    assert quality.mse == 25
    assert quality.psnr == pytest.approx(34.1514, abs=1e-4)


def test_equal_pictures() -> None:
    pixels = smooth_pixels(20, 20)
    quality = measure(pixels, pixels)
    assert (quality.mse, quality.psnr, quality.ssim) == (0, 100, 1)


def test_ssim_of_a_tiny_picture_is_unknown() -> None:
    assert measure(smooth_pixels(10, 40), smooth_pixels(10, 40)).ssim is None


def test_compression_ratio_is_the_papers() -> None:
    assert compression_ratio(1140, 4800) == pytest.approx(0.7625)
