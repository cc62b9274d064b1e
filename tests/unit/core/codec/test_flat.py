"""The flat patch is of the patch's mean colour, whatever the seed, the preset and the channels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from regrow.core.codec.coder import Coder
from regrow.core.codec.decode import decode
from regrow.core.codec.encode.assemble import assemble
from regrow.core.codec.encode.flat import flat_candidate
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.seeds import SeedKind
from regrow.core.codec.settings import EncodeSettings

SETTINGS = EncodeSettings()


@pytest.mark.parametrize(
    ("seed", "preset", "channels"), list(itertools.product(SeedKind, (Preset.MICRO, Preset.SMALL), (1, 3, 4)))
)
@pytest.mark.parametrize("coder", Coder)
def test_it_has_the_mean_colour(seed: SeedKind, preset: Preset, channels: int, coder: Coder) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (45, 70, channels), dtype=np.uint8)
    pixels[:, 40:] //= 4
    picture, settings = Picture(pixels), EncodeSettings(preset, Effort.DRAFT, seed, coder=coder)
    encoded = assemble(picture, settings, [[flat_candidate(picture, patch, settings)] for patch in range(4)])
    grown = decode(encoded.bundle).picture.pixels
    for part in (np.s_[:40, :40], np.s_[:40, 40:], np.s_[40:, :40], np.s_[40:, 40:]):
        assert np.ptp(grown[part], axis=(0, 1)).max() == 0
        assert np.abs(grown[part][0, 0] - _mean(pixels[part])).max() <= 2


def _mean(pixels: np.ndarray) -> np.ndarray:
    """Colours weighed by alpha, and its own mean."""
    if pixels.shape[2] < 4:
        return pixels.mean(axis=(0, 1))
    colours = np.average(pixels[..., :3], axis=(0, 1), weights=np.repeat(pixels[..., 3:], 3, axis=-1))
    return np.append(colours, pixels[..., 3].mean())


def test_C4_a_flat_patch_has_the_colour_that_is_seen() -> None:
    pixels = np.full((40, 40, 4), (200, 10, 90, 255), np.uint8)
    pixels[:20] = (0, 255, 0, 0)
    grown = decode(assemble(Picture(pixels), SETTINGS, [[flat_candidate(Picture(pixels), 0, SETTINGS)]]).bundle)
    assert np.abs(grown.picture.pixels[0, 0].astype(int) - (200, 10, 90, 128)).max() <= 2


def test_its_error_is_that_of_the_decoder() -> None:
    picture = Picture(np.full((40, 41, 3), 200, dtype=np.uint8))
    settings = EncodeSettings()
    candidates = [[flat_candidate(picture, patch, settings)] for patch in range(2)]
    grown = decode(assemble(picture, settings, candidates).bundle).picture.pixels.astype(int)
    assert sum(each.error for (each,) in candidates) == int(np.square(grown - 200).sum())
