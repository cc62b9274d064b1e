"""Encoding in the profile `seeds`: what is found is what is decoded, better with more effort, and meets targets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from regrow.core.codec.decode import decode
from regrow.core.codec.decode.seeds.compiled import decode_patch
from regrow.core.codec.encode.encoded import Encoded
from regrow.core.codec.encode.seeds.encoder import assemble_seeds, encode_units
from regrow.core.codec.encode.seeds.patch_search import PatchSearch
from regrow.core.codec.encode.seeds.plan import MODEL, step_code, units_of
from regrow.core.codec.encode.seeds.targets import CARES, Trial, trial_for_bytes, trial_for_psnr
from regrow.core.codec.fit.task import FitHooks
from regrow.core.codec.format.seeds.model import released_model
from regrow.core.codec.images import Picture, Pixels
from regrow.core.codec.presets import Effort
from regrow.core.codec.profile import Profile
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import BudgetTooSmall, FitStopped

SETTINGS = EncodeSettings(profile=Profile.SEEDS, effort=Effort.DRAFT)


def _picture(height: int, width: int, channels: int = 3) -> Picture:
    """Soft noise, as photos have; alpha is a disc with a soft edge."""
    rng = np.random.default_rng(1)
    small = Image.fromarray(rng.integers(0, 256, (height // 6 + 2, width // 6 + 2, 3), dtype=np.uint8))
    pixels = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))
    if channels == 4:
        rows, columns = np.mgrid[:height, :width]
        far = (rows - height / 2) ** 2 + (columns - width / 2) ** 2
        alpha = np.clip(3 * (height * width / 8 - far), 0, 255).astype(np.uint8)
        return Picture(np.concatenate([pixels, alpha[..., None]], axis=2))
    return Picture(np.ascontiguousarray(pixels[..., :channels]))


def _detailed(height: int, width: int) -> Picture:
    """With noise of its own in every pixel, too."""
    noise = np.random.default_rng(2).normal(0, 12, (height, width, 3))
    return Picture(np.clip(_picture(height, width).pixels + noise, 0, 255).astype(np.uint8))


def _encoded(picture: Picture, settings: EncodeSettings = SETTINGS) -> Encoded:
    units = encode_units(picture, range(units_of(picture, settings)), settings)
    return assemble_seeds(picture, settings, units)


@pytest.mark.exact
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (33, 40), (61, 50)])
def test_what_the_search_saw_is_what_is_decoded(size: tuple[int, int], channels: int) -> None:
    pixels = _picture(*size, channels).pixels
    search = PatchSearch(released_model(MODEL), pixels, 900)
    search.sweep(with_slopes=True)
    search.sweep(with_slopes=False)
    payload = search.payload()
    assert np.array_equal(decode_patch(payload, released_model(MODEL), size, channels, 900), search.regrown)
    if channels != 4:
        assert len(payload) <= search.bits / 8 + 1


def test_sweeps_find_what_one_pass_does_not() -> None:
    pixels = _picture(64, 64).pixels
    losses = []
    search = PatchSearch(released_model(MODEL), pixels, 800)
    for _ in range(8):
        search.sweep(with_slopes=True)
        losses.append(search.loss)
    assert min(losses[1:]) < 0.995 * losses[0]


def test_quality_decides_bytes_and_psnr() -> None:
    picture = _picture(48, 48)
    found = [_encoded(picture, replace(SETTINGS, quality=quality)) for quality in (0.0, 25.0, 50.5, 75.0, 100.0)]
    assert sorted(len(each.bundle) for each in found) == [len(each.bundle) for each in found]
    assert sorted(each.quality.psnr for each in found) == [each.quality.psnr for each in found]
    assert found[-1].quality.psnr > 50
    assert step_code(0) == 256
    assert step_code(100) == 1792


@pytest.mark.parametrize("effort", [Effort.DRAFT, Effort.STANDARD])
@pytest.mark.parametrize("target", [28.0, 34.5, 41.0])
def test_a_psnr_is_met_and_hardly_more(effort: Effort, target: float) -> None:
    encoded = _encoded(_detailed(150, 140), replace(SETTINGS, effort=effort, target_psnr=target))
    assert target <= encoded.quality.psnr <= target + 0.02
    assert encoded.target_met


def test_a_psnr_that_cannot_be_met_is_told() -> None:
    rng = np.random.default_rng(0)
    noise = Picture(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    encoded = _encoded(noise, replace(SETTINGS, target_psnr=55.0))
    assert encoded.target_met is (encoded.quality.psnr >= 55)
    assert encoded.quality.psnr > 53


@pytest.mark.parametrize("effort", [Effort.DRAFT, Effort.STANDARD])
@pytest.mark.parametrize("limit", [400, 1500, 5000])
def test_a_budget_is_filled(effort: Effort, limit: int) -> None:
    encoded = _encoded(_picture(96, 80), replace(SETTINGS, effort=effort, max_bytes=limit))
    assert 0.97 * limit <= len(encoded.bundle) <= limit
    assert encoded.target_met


def test_a_budget_that_is_too_small_is_refused() -> None:
    with pytest.raises(BudgetTooSmall, match="20 bytes are too few for this picture: the smallest bundle takes"):
        _encoded(_picture(96, 80), replace(SETTINGS, max_bytes=20))


def test_units_know_nothing_of_each_other() -> None:
    picture = _picture(70, 300)
    together = encode_units(picture, [0, 1], SETTINGS)
    assert [encode_units(picture, [number], SETTINGS)[0] for number in (0, 1)] == together
    encoded = assemble_seeds(picture, SETTINGS, together)
    assert encoded.bundle == _encoded(picture).bundle
    assert encoded.quality.psnr > 30


def test_what_alpha_hides_costs_nothing() -> None:
    plain = _picture(60, 60, 4)
    noisy = plain.pixels.copy()
    hidden = noisy[..., 3] == 0
    noisy[hidden, :3] = np.random.default_rng(0).integers(0, 256, (int(hidden.sum()), 3))
    assert len(_encoded(Picture(noisy)).bundle) <= 1.02 * len(_encoded(plain).bundle)
    nothing = np.zeros((60, 60, 4), dtype=np.uint8)
    assert len(_encoded(Picture(nothing)).bundle) <= 20


@pytest.mark.parametrize("quality", [10.0, 100.0])
def test_alpha_is_exact_where_steps_are_fine(quality: float) -> None:
    picture = _picture(60, 60, 4)
    alpha = decode(_encoded(picture, replace(SETTINGS, quality=quality)).bundle).picture.pixels[..., 3]
    off = np.abs(alpha.astype(int) - picture.pixels[..., 3])
    assert off.max() <= (0 if quality == 100 else 8)
    assert np.array_equal(alpha == 0, picture.pixels[..., 3] == 0)
    assert np.array_equal(alpha == 255, picture.pixels[..., 3] == 255)


def test_a_search_stops_when_asked_and_tells_how_far_it_is() -> None:
    shares: list[float] = []
    hooks = FitHooks(on_progress=lambda progress: shares.append(float(progress.share.mean())))
    encode_units(_picture(40, 300), [0, 1], SETTINGS, hooks)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    with pytest.raises(FitStopped):
        encode_units(_picture(40, 40), [0], SETTINGS, FitHooks(should_stop=lambda: True))


def _curve(code: int, _: int, care: int = CARES) -> Trial:
    """A picture that gets 0.02 dB better and 0.3 % larger by each step."""
    return Trial(code, (), round(50 * 1.003**code) - (CARES - care), 15 + 0.02 * code - 0.01 * (CARES - care))


def test_few_trials_find_a_target() -> None:
    tried: list[int] = []

    def attempt(code: int, sweeps: int, care: int) -> Trial:
        tried.append(code)
        return _curve(code, sweeps, care)

    assert trial_for_psnr(attempt, 33.333, 1).psnr == pytest.approx(33.34)
    assert trial_for_bytes(attempt, 10_000, 1).bytes > 9_700
    assert len(tried) < 20
    assert trial_for_psnr(attempt, 90.0, 1).step == 2560


def test_grey_needs_no_colour() -> None:
    grey: Pixels = np.tile(np.arange(40, dtype=np.uint8) * 6, (40, 1))[..., None]
    settings = replace(SETTINGS, quality=80.0)
    encoded, coloured = _encoded(Picture(grey), settings), _encoded(Picture(grey.repeat(3, axis=2)), settings)
    assert decode(encoded.bundle).picture.pixels.shape == grey.shape
    assert encoded.quality.psnr > 45
    assert len(encoded.bundle) < len(coloured.bundle)
