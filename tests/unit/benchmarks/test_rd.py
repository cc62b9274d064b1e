"""Curves, hulls and BD-rates are what they say."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import bjontegaard
import numpy as np
import pytest
from typer.testing import CliRunner

from regrow.benchmarks import rd, rd_rules, rd_seeds
from regrow.benchmarks.bd_rate import bd_rate, front
from regrow.benchmarks.pictures import load_pictures
from regrow.benchmarks.rd import RULES
from regrow.benchmarks.rd_codecs import codec_curves, contenders
from regrow.benchmarks.rd_curve import Curve, CurvePoint, StoredPicture
from regrow.benchmarks.rd_rules import cheapest, fit_preset, hull_curve, preset_curve
from regrow.benchmarks.rd_seeds import SEEDS, seeds_curve
from regrow.benchmarks.rd_store import Measurer
from regrow.cli.bench import app
from regrow.core.codec.encode import encode
from regrow.core.codec.encode.candidate import Candidate
from regrow.core.codec.encode.other_codecs import Codec, write_file
from regrow.core.codec.encode.seeds.encoder import assemble_seeds, encode_units
from regrow.core.codec.presets import SCHEDULES, Effort, Preset, Schedule
from regrow.core.codec.profile import Profile
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
    curves = codec_curves([smooth_picture(40, 40)], contenders(avif_speed=8), Measurer())
    names = [codec.name for codec in contenders()]
    names.insert(names.index("AVIF 4:4:4") + 1, "AVIF 4:4:4 without its container")
    assert [curve.name for curve in curves] == names, "this machine has them all"
    for curve in curves:
        samples = front(curve.samples)
        assert len(samples) > 5, curve.name
        assert samples[-1][1] > samples[0][1] + 5, curve.name


def test_avif_without_its_container_is_the_same_pictures_in_fewer_bytes() -> None:
    (codec,) = [codec for codec in contenders(avif_speed=8) if codec.name == "AVIF 4:4:4"]
    whole, bare = codec_curves([smooth_picture(40, 40), smooth_picture(60, 30)], [codec], Measurer())
    saved = [files.mean_bytes - coded.mean_bytes for files, coded in zip(whole.points, bare.points, strict=True)]
    assert min(saved) > 200, "the boxes of an AVIF file"
    assert max(saved) - min(saved) < 2, "and they are about the same at every quality"
    assert [point.mean_psnr for point in whole.points] == [point.mean_psnr for point in bare.points]


def test_avif_is_at_its_best_by_what_is_measured() -> None:
    """Pillow's own choice is another."""
    photo = load_pictures(None, 64)[:1]
    names = ("AVIF 4:4:4", "AVIF 4:4:4, tuned for SSIM")
    codecs = [codec for codec in contenders(avif_speed=8) if codec.name in names]
    assert [codec.name for codec in codecs] == list(names)
    options = {"speed": 8, "subsampling": "4:4:4"}
    usual = Codec("usual", "AVIF", "avif", lambda quality: {"quality": int(quality), **options})
    codecs.append(replace(codecs[0], write=partial(write_file, usual), coded=None))
    for_psnr, _, for_ssim, untuned = codec_curves(photo, codecs, Measurer())
    by_psnr = bd_rate(untuned.samples, for_psnr.samples, 25, 42)
    by_ssim = bd_rate(untuned.ssim_samples, for_ssim.ssim_samples, 7, 20)
    assert by_psnr is not None
    assert by_ssim is not None
    assert max(by_psnr.percent, by_ssim.percent) < -1


def test_the_curve_of_seeds_is_of_whole_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rd_seeds, "QUALITIES", (20, 60))
    pictures = [smooth_picture(40, 40), smooth_picture(30, 50)]
    curve = seeds_curve(pictures, Effort.DRAFT, Measurer())
    assert [point.setting for point in curve.points] == ["20", "60"]
    for point, quality in zip(curve.points, (20, 60), strict=True):
        settings = EncodeSettings(profile=Profile.SEEDS, effort=Effort.DRAFT, quality=quality)
        for file, picture in zip(point.files, pictures, strict=True):
            expected = assemble_seeds(picture, settings, encode_units(picture, [0], settings))
            assert file == StoredPicture(len(expected.bundle), expected.quality)


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
    hull = hull_curve(RULES, pictures, DRAFT, fits)
    assert len(hull.points) > 1
    for single in fits:
        for point in preset_curve(pictures, DRAFT, single).points:
            for price in (1.0, 1e3, 1e6):
                costs = [each.mean_mse * 4800 + price * each.mean_bytes for each in hull.points]
                assert min(costs) <= point.mean_mse * 4800 + price * point.mean_bytes + 1e-6


@pytest.fixture
def two_codecs(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Those that the command compares with; a curve of seeds of three points."""
    first, second = contenders()[:2]
    monkeypatch.setattr(rd, "contenders", lambda speed: (first, second))
    monkeypatch.setattr(rd_seeds, "QUALITIES", (20, 50, 80))
    return first.name, second.name


@pytest.mark.usefixtures("quick")
def test_the_command_prints_all_and_plots(two_codecs: tuple[str, str], tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(smooth_picture(64, 64, seed=number).to_png())
    plot = tmp_path / "plot.svg"
    options = ["--effort", "draft", "--presets", "micro", "--plot", str(plot), "--json"]
    done = CliRunner().invoke(app, ["rd", "--images", str(tmp_path), *options])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert (result["pictures"], result["size"], result["effort"]) == (2, "resized to 40×40", "draft")
    (target,) = result["targets"]
    assert target["preset"] == "micro"
    assert 1 < target["bits_per_weight"] < 8
    assert target["loss_from_float_db"] == pytest.approx(target["float_psnr"] - target["mean_psnr"])
    assert {row["curve"] for row in result["curves"]} == {SEEDS, RULES, "micro", *two_codecs}
    assert {row["curve"] for row in result["bd_rate"]} == {SEEDS, RULES, "micro"}
    assert "seeds, which reaches" in result["losses"]
    assert "rules, which reaches" in result["losses"]
    assert plot.read_text().rstrip().endswith("</svg>")


def test_crops_and_whole_photos_of_one_profile(two_codecs: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(smooth_picture(30, 48).to_png())
    (tmp_path / "b.png").write_bytes(smooth_picture(40, 24).to_png())
    asked = ["rd", "--images", str(tmp_path), "--profile", "seeds", "--effort", "draft", "--json"]
    whole = json.loads(CliRunner().invoke(app, [*asked, "--whole"]).stdout)
    crops = json.loads(CliRunner().invoke(app, [*asked, "--crop", "20"]).stdout)
    assert (whole["size"], crops["size"]) == ("whole", "the middle 20×20")
    assert {row["curve"] for row in whole["curves"]} == {SEEDS, *two_codecs}
    assert whole["curves"][0]["mean_bytes"] > crops["curves"][0]["mean_bytes"]
    assert "20×20 to cut out" not in str(CliRunner().invoke(app, [*asked, "--crop", "24"]).exception)
    assert "25×25 to cut out" in str(CliRunner().invoke(app, [*asked, "--crop", "25"]).exception)
    assert "not both" in str(CliRunner().invoke(app, [*asked, "--crop", "20", "--whole"]).exception)


def test_a_folder_without_photos_is_said(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["rd", "--images", str(tmp_path)])
    assert "no photo" in str(done.exception)
