"""Curves, hulls and BD-rates are what they say."""

from __future__ import annotations

import json
from pathlib import Path

import bjontegaard
import numpy as np
import pytest
from typer.testing import CliRunner

from regrow.benchmarks import rd, rd_rules
from regrow.benchmarks.bd_rate import bd_rate, front
from regrow.benchmarks.rd import REGROW, bd_rate_rows
from regrow.benchmarks.rd_codecs import CODECS, codec_curves
from regrow.benchmarks.rd_curve import Curve, CurvePoint, StoredPicture
from regrow.benchmarks.rd_rules import cheapest, fit_preset, hull_curve, preset_curve
from regrow.cli.bench import app
from regrow.core.codec.encode import encode
from regrow.core.codec.encode.candidate import Candidate
from regrow.core.codec.presets import SCHEDULES, Effort, Preset, Schedule
from regrow.core.codec.quality import Quality, psnr_from_mse
from regrow.core.codec.settings import EncodeSettings
from tests.pictures import smooth_picture

DRAFT = EncodeSettings(preset=Preset.MICRO, effort=Effort.DRAFT)
PSNRS = (24.0, 27.5, 30.0, 34.0, 38.0)


def _bytes(psnr: float) -> float:
    """A codec that doubles its bytes every 5 dB."""
    return 100 * 2 ** (psnr / 5)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEDULES, Effort.DRAFT, Schedule(3, 3))


def test_ten_per_cent_fewer_bytes_is_minus_ten_per_cent() -> None:
    anchor = [(_bytes(psnr), psnr) for psnr in PSNRS]
    found = bd_rate(anchor, [(0.9 * size, psnr) for size, psnr in anchor], 26, 33)
    assert found is not None
    assert found.percent == pytest.approx(-10, abs=1e-9)
    assert (found.low, found.high) == (26, 33)


def test_curves_need_not_be_sampled_at_the_same_places() -> None:
    anchor = [(_bytes(psnr), psnr) for psnr in PSNRS]
    other = [(1.25 * _bytes(psnr), psnr) for psnr in (25.0, 29.0, 31.0, 36.0)]
    found, back = bd_rate(anchor, other), bd_rate(other, anchor)
    assert found is not None
    assert back is not None
    assert found.percent == pytest.approx(25)
    assert back.percent == pytest.approx(-20)
    assert (found.low, found.high) == (25, 36), "nothing is extrapolated"


def test_a_mean_of_logarithms_by_hand() -> None:
    """From equal bytes at 20 dB to four times as many at 30 dB: sqrt(4) times on average."""
    found = bd_rate([(100, 20), (1000, 30)], [(100, 20), (4000, 30)])
    assert found is not None
    assert found.percent == pytest.approx(100)


@pytest.mark.parametrize("seed", range(5))
def test_another_library_finds_the_same(seed: int) -> None:
    """Curves of the kind that `front` leaves: both rising, of different lengths and ranges."""
    rng = np.random.default_rng(seed)
    anchor, other = (
        list(zip(np.cumsum(rng.uniform(50, 500, count)), start + np.cumsum(rng.uniform(0.5, 3, count)), strict=True))
        for count, start in ((6, 25.0), (4, 26.5))
    )
    found = bd_rate(anchor, other)
    assert found is not None
    curves = [axis for curve in (anchor, other) for axis in zip(*curve, strict=True)]
    theirs = bjontegaard.bd_rate(*curves, method="pchip", require_matching_points=False, min_overlap=0)
    assert found.percent == pytest.approx(theirs, rel=1e-9)


def test_curves_that_share_nothing_have_no_bd_rate() -> None:
    assert bd_rate([(10, 20), (20, 25)], [(10, 26), (20, 30)]) is None
    assert bd_rate([(10, 20), (20, 25)], [(10, 24.9), (20, 30)]) is None
    assert bd_rate([(10, 20), (20, 25)], [(10, 22)]) is None
    assert bd_rate([(10, 20), (20, 25)], [(10, 20), (20, 25)], 26, 33) is None


def test_settings_that_only_cost_more_are_left_out() -> None:
    assert front([(30, 20), (10, 10), (20, 9), (20, 15), (40, 20)]) == [(10, 10), (20, 15), (30, 20)]


def test_a_price_picks_corners_of_the_convex_hull_only() -> None:
    shape = Preset.MICRO.shape()
    # The third lies above the line from the second to the fourth.
    candidates = [Candidate(shape, bytes(size), error) for size, error in ((10, 1000), (20, 400), (30, 360), (40, 100))]
    assert [cheapest(candidates, price) for price in (0.1, 14, 16, 59, 61)] == [3, 3, 1, 1, 0]
    assert {cheapest(candidates, price) for price in np.geomspace(0.01, 1e4, 500)} == {0, 1, 3}


def test_means_are_over_pictures() -> None:
    files = tuple(StoredPicture(size, Quality(mse, psnr_from_mse(mse), None)) for size, mse in ((10, 4.0), (30, 100.0)))
    (row,) = Curve("x", (CurvePoint("1", files),)).rows()
    assert (row["mean_bytes"], row["mean_mse"], row["mean_ssim"]) == (20, 52, None)
    assert row["mean_psnr"] == pytest.approx((psnr_from_mse(4) + psnr_from_mse(100)) / 2)


def test_every_codec_gets_better_with_its_bytes() -> None:
    curves = codec_curves([smooth_picture(40, 40)])
    assert [curve.name for curve in curves] == [codec.name for codec in CODECS], "this Pillow has them all"
    for curve in curves:
        samples = front(curve.samples)
        assert len(samples) > 5, curve.name
        assert samples[-1][1] > samples[0][1] + 5, curve.name


@pytest.mark.usefixtures("quick")
def test_the_usual_level_is_the_file_that_encode_writes() -> None:
    """Side by side with other pictures, and for pictures of several patches."""
    pictures = [smooth_picture(50, 50, seed=seed) for seed in (1, 2)]
    found = fit_preset(pictures, DRAFT, Preset.MICRO)
    curve = preset_curve(pictures, DRAFT, found)
    for number, picture in enumerate(pictures):
        expected = encode(picture, DRAFT)
        point = curve.points[rd_rules.LEVELS.index(rd_rules.USUAL)]
        assert point.files[number] == StoredPicture(len(expected.bundle), expected.quality)


@pytest.mark.usefixtures("quick")
def test_the_hull_is_nowhere_worse_than_a_preset() -> None:
    pictures = [smooth_picture(40, 40, seed=seed) for seed in (1, 2)]
    fits = [fit_preset(pictures, DRAFT, preset) for preset in (Preset.MICRO, Preset.TINY)]
    hull = hull_curve(REGROW, pictures, DRAFT, fits)
    assert len(hull.points) > 1
    for single in fits:
        for point in preset_curve(pictures, DRAFT, single).points:
            for price in (1.0, 1e3, 1e6):
                costs = [each.mean_mse * 4800 + price * each.mean_bytes for each in hull.points]
                assert min(costs) <= point.mean_mse * 4800 + price * point.mean_bytes + 1e-6


def test_a_row_without_common_psnr_is_kept() -> None:
    points = [CurvePoint("1", (StoredPicture(size, Quality(1, psnr, None)),)) for size, psnr in ((10, 20), (20, 22))]
    far = [CurvePoint("1", (StoredPicture(size, Quality(1, psnr, None)),)) for size, psnr in ((10, 40), (20, 42))]
    (row,) = bd_rate_rows([Curve("ours", tuple(points))], [Curve("theirs", tuple(far))])
    assert row == {"curve": "ours", "against": "theirs", "percent": None, "from_db": None, "to_db": None}


@pytest.mark.usefixtures("quick")
def test_the_command_prints_all_and_plots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rd, "codec_curves", lambda pictures, _: codec_curves(pictures, CODECS[:2]))
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(smooth_picture(64, 64, seed=number).to_png())
    plot = tmp_path / "plot.svg"
    options = ["--effort", "draft", "--presets", "micro", "--plot", str(plot), "--json"]
    done = CliRunner().invoke(app, ["rd", "--images", str(tmp_path), *options])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert (result["pictures"], result["side"], result["effort"]) == (2, 40, "draft")
    (target,) = result["targets"]
    assert target["preset"] == "micro"
    assert 1 < target["bits_per_weight"] < 8
    assert target["loss_from_float_db"] == pytest.approx(target["float_psnr"] - target["mean_psnr"])
    curves = {row["curve"] for row in result["curves"]}
    assert curves == {REGROW, "micro", *(codec.name for codec in CODECS[:2])}
    assert {row["curve"] for row in result["bd_rate"]} == {REGROW, "micro"}
    assert plot.read_text().rstrip().endswith("</svg>")


def test_a_folder_without_photos_is_said(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["rd", "--images", str(tmp_path)])
    assert "no photo" in str(done.exception)
