"""Other codecs' files: never more bytes than allowed, and as good as that lets them be."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import features

from regrow.core.codec.encode import other_codecs
from regrow.core.codec.encode.other_codecs import JPEG_420, JPEG_444, JPEG_2000, WEBP, Codec, OtherFile, best_files
from regrow.core.codec.encode.other_codecs import read_file as read
from regrow.core.codec.encode.other_codecs import write_file as write
from regrow.core.codec.images import Picture
from regrow.core.codec.quality import measure
from tests.pictures import smooth_pixels

WAYS = {"JPEG": JPEG_444, "JPEG 4:4:4": JPEG_444, "JPEG 4:2:0": JPEG_420, "JPEG 2000": JPEG_2000, "WebP": WEBP}


def _picture(height: int, width: int, channels: int = 3) -> Picture:
    """Waves and some noise: not too easy for anyone."""
    noise = np.random.default_rng(5).integers(-12, 13, (height, width, channels))
    return Picture((smooth_pixels(height, width, channels).astype(int) + noise).clip(0, 255).astype(np.uint8))


def _by_codec(picture: Picture, max_bytes: int) -> dict[str, OtherFile]:
    return {row.codec[:9]: row for row in best_files(picture, max_bytes)}


def _brute_force(codec: Codec, picture: Picture, settings: list[float], max_bytes: int) -> float:
    """The least mean squared error of all settings' files that fit."""
    files = [write(codec, picture, setting) for setting in settings]
    fitting = [data for data in files if len(data) <= max_bytes]
    return min(measure(picture.pixels, read(data, picture.channels)).mse for data in fitting)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("max_bytes", [400, 1200, 5000, 60_000])
def test_files_have_no_more_bytes_and_are_what_is_said(channels: int, max_bytes: int) -> None:
    picture = _picture(64, 48, channels)
    for row in best_files(picture, max_bytes):
        data = write(WAYS[row.codec], picture, row.setting)
        assert len(data) == row.bytes
        assert (row.bytes <= max_bytes) == row.fits
        quality = measure(picture.pixels, read(data, channels))
        assert (row.psnr, row.ssim, row.mse) == (quality.psnr, quality.ssim, quality.mse)


@pytest.mark.parametrize("max_bytes", [520, 1100])
def test_no_setting_makes_a_better_file(max_bytes: int) -> None:
    picture = _picture(40, 40)
    rows = {row.codec[:6]: row for row in best_files(picture, max_bytes) if row.codec != "JPEG 2000"}
    best = {codec: _brute_force(codec, picture, list(range(1, 101)), max_bytes) for codec in (JPEG_444, JPEG_420, WEBP)}
    assert rows["JPEG 4"].mse == min(best[JPEG_444], best[JPEG_420])
    assert rows["WebP"].mse == best[WEBP]
    ratios = [picture.pixels.size / size for size in range(max_bytes - 60, max_bytes + 150)]
    (wavelet,) = (row for row in best_files(picture, max_bytes) if row.codec == "JPEG 2000")
    assert wavelet.mse == pytest.approx(_brute_force(JPEG_2000, picture, ratios, max_bytes), rel=0.002)


def test_more_bytes_make_no_worse_file() -> None:
    picture = _picture(60, 60)
    errors = [[row.mse for row in best_files(picture, size)] for size in range(700, 1500, 100)]
    assert (np.diff(np.array(errors), axis=0) <= 0).all()


def test_a_file_that_cannot_be_so_small_is_the_smallest() -> None:
    picture = _picture(40, 40)
    jpeg, wavelet, webp = best_files(picture, 60)
    assert not (jpeg.fits)
    assert not (wavelet.fits)
    assert not (webp.fits)
    smallest = [len(write(codec, picture, q)) for codec in (JPEG_444, JPEG_420) for q in range(1, 101)]
    assert jpeg.bytes == min(smallest)
    assert webp.bytes == min(len(write(WEBP, picture, q)) for q in range(101))
    assert wavelet.bytes == min(len(write(JPEG_2000, picture, 4800 / size)) for size in range(1, 400))


def test_grey_is_grey_where_there_is_grey() -> None:
    grey = _picture(40, 40, 1)
    assert [row.codec for row in best_files(grey, 600)] == ["JPEG", "JPEG 2000", "WebP"]
    threefold = Picture(np.repeat(grey.pixels, 3, axis=2))
    for codec in (JPEG_444, JPEG_2000):
        assert len(write(codec, grey, 20)) < len(write(codec, threefold, 20))
    assert read(write(WEBP, grey, 90), 1).shape == (40, 40, 1)


def test_alpha_is_kept_or_there_is_no_row() -> None:
    picture = _picture(40, 40, 4)
    assert [row.codec for row in best_files(picture, 2500)] == ["JPEG 2000", "WebP"]
    assert (read(write(WEBP, picture, 10), 4)[..., 3] == picture.pixels[..., 3]).all()
    hidden = Picture(np.dstack([picture.pixels[..., :3], np.zeros((40, 40), np.uint8)]))
    assert measure(hidden.pixels, read(write(WEBP, hidden, 95), 4)).psnr == 100, "nobody sees what is below alpha 0"


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("max_bytes", [1, 90, 5000])
def test_one_pixel(channels: int, max_bytes: int) -> None:
    rows = best_files(Picture(np.full((1, 1, channels), 77, np.uint8)), max_bytes)
    assert len(rows) == (2 if channels == 4 else 3)
    for row in rows:
        assert row.fits == (row.bytes <= max_bytes)
        assert row.ssim is None


def test_a_codec_that_pillow_lacks_has_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    there = features.check
    monkeypatch.setattr(features, "check", lambda name: name != "jpg_2000" and there(name))
    assert [row.codec[:4] for row in best_files(_picture(20, 20), 600)] == ["JPEG", "WebP"]


def test_a_side_that_webp_cannot_have() -> None:
    wide = Picture(np.zeros((1, 16_384, 3), np.uint8))
    assert [row.codec[:6] for row in best_files(wide, 9000)] == ["JPEG 4", "JPEG 2"]


def test_many_pixels_are_searched_in_fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = _picture(64, 64)
    usual = best_files(picture, 1500)
    written: list[float] = []

    def counting(codec: Codec, picture: Picture, setting: float) -> bytes:
        written.append(setting)
        return write(codec, picture, setting)

    monkeypatch.setattr(other_codecs, "write_file", counting)
    best_files(picture, 1500)
    before = len(written)
    monkeypatch.setattr(other_codecs, "MANY_PIXELS", 64 * 64 - 1)
    quick = best_files(picture, 1500)
    assert len(written) - before < 0.75 * before
    assert all(row.fits for row in quick)
    assert [row.psnr for row in quick] == pytest.approx([row.psnr for row in usual], abs=0.7)


def test_a_search_can_be_stopped() -> None:
    """Between any two of its steps."""

    class Stopped(Exception):
        pass

    picture, calls = Picture(smooth_pixels(30, 30)), 0

    def count() -> None:
        nonlocal calls
        calls += 1
        if calls == stop_at:
            raise Stopped

    stop_at = 0
    best_files(picture, 700, count)
    steps = calls
    assert steps > 20
    for stop_at in (1, steps // 2, steps):
        calls = 0
        with pytest.raises(Stopped):
            best_files(picture, 700, count)
        assert calls == stop_at
