"""Who is said to win, and where."""

from __future__ import annotations

import pytest

from regrow.benchmarks.rd_compare import band_rows, bd_rate_rows, equal_bytes_rows, where_it_loses
from regrow.benchmarks.rd_curve import Curve, CurvePoint, StoredPicture
from regrow.core.codec.quality import Quality

PSNRS = tuple(range(20, 46))


def _curve(name: str, dearer: float = 1.0, dearer_above_35: float = 1.0, psnrs: tuple[int, ...] = PSNRS) -> Curve:
    """A codec that doubles its bytes every 5 dB, and whose SSIM, in decibels, is half of its PSNR."""
    points = []
    for psnr in psnrs:
        size = round(1e6 * dearer * 2 ** (psnr / 5) * (dearer_above_35 if psnr > 35 else 1))
        file = StoredPicture(size, Quality(1.0, psnr, 1 - 10 ** (-psnr / 20)))
        points.append(CurvePoint(str(psnr), (file,)))
    return Curve(name, tuple(points))


def test_rows_have_the_usual_range_all_of_it_and_ssim() -> None:
    (row,) = bd_rate_rows([_curve("ours", 0.9, 2)], [_curve("theirs")])
    assert (row["curve"], row["against"]) == ("ours", "theirs")
    assert (row["from_db"], row["to_db"]) == (25, 42)
    assert (row["everywhere_from_db"], row["everywhere_to_db"]) == (20, 45)
    assert (row["ssim_from_db"], row["ssim_to_db"]) == (10, 20)
    assert row["percent"] == pytest.approx(100 * (0.9 * 2 ** (7 / 17) - 1), abs=3), "twice the bytes above 35 dB"
    assert row["everywhere_percent"] == pytest.approx(100 * (0.9 * 2 ** (10 / 25) - 1), abs=3)
    assert row["ssim_percent"] == pytest.approx(100 * (0.9 * 2 ** (5 / 20) - 1), abs=3), "which ends at 40 dB"


def test_rows_without_common_psnr_are_kept() -> None:
    low, high = _curve("ours", psnrs=(20, 22)), _curve("theirs", psnrs=(40, 42))
    (row,) = bd_rate_rows([low], [high])
    assert {value for name, value in row.items() if name not in {"curve", "against"}} == {None}


def test_no_ssim_where_a_picture_is_too_small() -> None:
    with_ssim = _curve("theirs")
    small = StoredPicture(100, Quality(1.0, 30, None))
    points = tuple(CurvePoint(point.setting, (*point.files, small)) for point in with_ssim.points)
    (row,) = bd_rate_rows([Curve("ours", points)], [with_ssim])
    assert row["percent"] is not None
    assert row["ssim_percent"] is None


def test_bands_by_hand() -> None:
    (row,) = band_rows([_curve("ours", 0.9, 2)], [_curve("theirs")])
    assert row["20 to 25 dB"] == pytest.approx(-10, abs=0.01)
    assert row["40 to 45 dB"] == pytest.approx(80, abs=0.01)
    assert row["45 to 50 dB"] is None, "nobody reaches it"


def test_losses_are_said() -> None:
    better, worse = _curve("better", 0.5), _curve("worse", 2)
    text = where_it_loses(_curve("ours", 1.0, 4), [better, worse])
    assert text.startswith("ours, which reaches 20.0 to 45.0 dB, loses to better (+100.0 % at 20.0 to 25.0 dB, ")
    to_better, _, to_worse = text.partition("worse")
    assert "+100.0 % at 40.0 to 45.0 dB" in to_worse
    assert "at 20.0 to" not in to_worse
    assert "by SSIM" in to_better
    assert "by SSIM" not in to_worse


def test_who_never_loses_is_said_not_to() -> None:
    text = where_it_loses(_curve("ours"), [_curve("worse", 2)])
    assert text == "ours, which reaches 20.0 to 45.0 dB, loses to none of these codecs in any band that both reach."


def test_equal_bytes_by_hand() -> None:
    ours, half = _curve("ours"), _curve("half", 0.5)
    first, second = equal_bytes_rows(ours, [ours, half])
    size = f"{1e6 * 2**6:.0f} bytes"  # of 30 dB
    assert (first[f"dB in {size}"], second[f"dB in {size}"]) == (pytest.approx(30), pytest.approx(35))
    assert first[f"SSIM in {size}"] == pytest.approx(1 - 10**-1.5)
    last = f"{1e6 * 2**8:.0f} bytes"  # of 40 dB, in which the other would be beyond its end
    cheaper, dearer = equal_bytes_rows(ours, [_curve("cheaper", 0.1), _curve("dearer", 2)])
    assert cheaper[f"dB in {last}"] is None
    assert dearer[f"dB in {last}"] == pytest.approx(35)
