"""C4: what nobody sees costs nothing, is not kept, and is not measured."""

from __future__ import annotations

import numpy as np
import pytest

from regrow.core.codec.alpha import seen, with_hidden_filled
from regrow.core.codec.decode import decode
from regrow.core.codec.encode.assemble import assemble
from regrow.core.codec.encode.patch_fits import candidates_of, fit_task
from regrow.core.codec.fit.fitting import Fitted
from regrow.core.codec.fit.partly_rounded import RoundedRule
from regrow.core.codec.images import ImageLimits, Picture, read_picture
from regrow.core.codec.presets import Preset
from regrow.core.codec.quality import measure, squared_error
from regrow.core.codec.reading.prepare import prepare
from regrow.core.codec.settings import EncodeSettings
from tests.bundles import random_rule
from tests.pictures import smooth_pixels


def _sticker(height: int, width: int, seed: int = 0) -> tuple[Picture, np.ndarray]:
    """A disc of smooth colours with a soft rim, and noise where it is transparent; and where that is."""
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot(y - height / 2, x - width / 2) / min(height, width)
    alpha = np.rint(255 * np.clip((0.4 - distance) * 10, 0, 1)).astype(np.uint8)
    colours, hidden = smooth_pixels(height, width, 3, seed), alpha == 0
    colours[hidden] = np.random.default_rng(seed).integers(0, 256, (int(hidden.sum()), 3))
    return Picture(np.dstack([colours, alpha])), hidden


@pytest.mark.parametrize(("height", "width"), [(80, 80), (41, 67), (7, 3)])
def test_C4_what_is_seen_stays_and_nothing_of_the_rest(height: int, width: int) -> None:
    picture, hidden = _sticker(height, width)
    other = Picture(picture.pixels.copy())
    other.pixels[hidden, :3] = 77
    filled = with_hidden_filled(picture)
    opaque = picture.pixels[..., 3] == 255
    assert (filled.pixels[opaque] == picture.pixels[opaque]).all()
    assert (seen(filled.pixels) == seen(picture.pixels)).all()
    assert (filled.pixels == with_hidden_filled(other).pixels).all(), "it does not depend on what was hidden"
    assert (with_hidden_filled(filled).pixels == filled.pixels).all()


def test_C4_the_fill_is_smooth_and_of_the_colours_around() -> None:
    pixels = np.full((64, 64, 4), (200, 100, 50, 255), np.uint8)
    pixels[:, 32:] = (0, 100, 250, 255)
    pixels[8:56, 8:56] = (255, 255, 255, 0)
    filled = with_hidden_filled(Picture(pixels)).pixels.astype(int)
    assert (filled[..., 1] == 100).all()
    assert np.abs(np.diff(filled[32, 8:56, 0])).max() < 60
    assert filled[32, 10, 0] > 150
    assert filled[32, 54, 0] < 50


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_C4_pictures_that_hide_nothing_are_left_alone(channels: int) -> None:
    pixels = smooth_pixels(20, 30, channels)
    pixels[..., -1] |= 255 * (channels == 4)
    picture = Picture(pixels)
    assert with_hidden_filled(picture) is picture


def _variation(colours: np.ndarray) -> float:
    """The mean of differences between neighbours, where both are there."""
    return float(np.mean([np.nanmean(np.abs(np.diff(colours, axis=axis))) for axis in (0, 1)]))


@pytest.mark.parametrize(("alpha", "share"), [(0, 0.1), (1, 0.4), (3, 0.65)])
def test_C4_what_a_faint_alpha_hides_is_smooth(alpha: int, share: float) -> None:
    """share: of the noise's variation that may be left. Alpha 1 shows whether a value is above 127, alpha 3 four
    levels of it: these must stay."""
    y, x = np.mgrid[0:40, 0:40]
    faint = np.hypot(y - 20, x - 20) > 12
    colours = smooth_pixels(40, 40)
    colours[faint] = np.random.default_rng(4).integers(0, 256, (int(faint.sum()), 3))
    picture = Picture(np.dstack([colours, np.where(faint, alpha, 255).astype(np.uint8)]))
    filled = with_hidden_filled(picture)
    assert (seen(filled.pixels) == seen(picture.pixels)).all()
    assert (with_hidden_filled(filled).pixels == filled.pixels).all()
    noise, left = (np.where(faint[..., None], some.pixels[..., :3].astype(float), np.nan) for some in (picture, filled))
    assert _variation(left) < share * _variation(noise)


def test_C4_every_value_below_every_alpha_is_seen_as_before() -> None:
    value, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    pixels = np.stack([value, value[:, ::-1], value, alpha], axis=-1)
    filled = with_hidden_filled(Picture(pixels)).pixels
    assert (seen(filled) == seen(pixels)).all()
    assert np.abs(filled[200:].astype(int) - pixels[200:]).max() <= 1


def test_C4_a_picture_of_which_nothing_is_seen() -> None:
    pixels = smooth_pixels(5, 9, 4)
    pixels[..., 3] = 0
    assert not with_hidden_filled(Picture(pixels)).pixels.any()
    assert not with_hidden_filled(Picture(pixels[:1, :1])).pixels.any()


def test_C4_what_is_seen_by_hand() -> None:
    pixels = np.array([[[200, 100, 3, 255], [200, 100, 3, 0], [200, 100, 3, 128], [255, 1, 0, 1]]], np.uint8)
    assert seen(pixels).tolist() == [[[200, 100, 3, 255], [0, 0, 0, 0], [100, 50, 2, 128], [1, 0, 0, 1]]]
    assert seen(pixels[..., :3]) is not None
    assert (seen(pixels[..., :3]) == pixels[..., :3]).all()


def test_C4_errors_nobody_sees_are_not_measured() -> None:
    picture, hidden = _sticker(40, 40)
    other = picture.pixels.copy()
    other[hidden, :3] = 0
    assert measure(picture.pixels, other) == measure(picture.pixels, picture.pixels)
    assert measure(picture.pixels, other).ssim == 1
    half = np.full((20, 20, 4), 128, np.uint8)
    worse = half + np.array([20, 0, 0, 0], np.uint8)
    assert squared_error(half, worse) == 400 * 10**2


def test_C4_what_an_upload_hides_is_not_stored() -> None:
    picture, hidden = _sticker(40, 40)
    stored = read_picture(prepare(picture.to_png(), ImageLimits()).png)
    assert (stored.pixels == with_hidden_filled(picture).pixels).all()
    assert (stored.pixels[hidden, :3] != picture.pixels[hidden, :3]).any(axis=-1).mean() > 0.9


def test_C4_targets_are_held_to_what_is_seen() -> None:
    """A fit's own error weighs every value alike; that of a candidate is what the report measures."""
    picture, _ = _sticker(40, 30)
    settings = EncodeSettings(Preset.MICRO)
    task = fit_task(picture, [0], settings, Preset.MICRO)
    rules = tuple(RoundedRule(random_rule(task.shape, seed), error=0) for seed in range(2))
    fitted = Fitted((rules,), np.zeros(1, np.float32), np.zeros(1, np.int64))
    (candidates,) = candidates_of(task, fitted, settings)
    for candidate in candidates:
        encoded = assemble(picture, settings, [[candidate]])
        assert candidate.error == squared_error(picture.pixels, decode(encoded.bundle).picture.pixels) > 0
        assert candidate.error == pytest.approx(encoded.quality.mse * picture.pixels.size)
