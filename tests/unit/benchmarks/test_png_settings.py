"""The settings of PNG are compared and chosen as is said."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from regrow.benchmarks import png_settings
from regrow.benchmarks.png_settings import Cost, bench_png, choose, measure_costs
from regrow.cli import bench
from regrow.core.codec.images import Picture
from regrow.core.codec.picture_files import FileKind, write_picture
from tests.pictures import smooth_picture


def _cost(level: int, time: float, size: float) -> Cost:
    return Cost("rle", level, (time / 2, time * 2), (size, size))


def test_the_quickest_within_ten_per_cent_is_chosen() -> None:
    costs = [_cost(1, 0.5, 1.2), _cost(2, 0.9, 1.09), _cost(3, 0.8, 1.1), _cost(4, 5.0, 1.0)]
    assert choose(costs).level == 3
    assert (choose(costs).time, choose(costs).size) == (pytest.approx(0.8), pytest.approx(1.1))


def test_ratios_are_to_the_usual_setting() -> None:
    costs = {(cost.strategy, cost.level): cost for cost in measure_costs({"waves": [smooth_picture(60, 60)]}, 1)}
    assert costs[png_settings.USUAL].seconds == costs[png_settings.USUAL].sizes == (1.0,)
    assert costs["filtered", 0].size > 2, "level 0 does not compress"
    assert len({cost.sizes for cost in costs.values()}) == len(costs), "one row for settings that make no difference"


def test_files_of_the_chosen_setting_are_those_of_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/results/png.md says was chosen."""
    written: list[bytes] = []
    write = png_settings._write
    monkeypatch.setattr(png_settings, "_write", lambda image, setting: written.append(write(image, setting)) or b"x")
    monkeypatch.setattr(png_settings, "STRATEGIES", {"rle": png_settings.STRATEGIES["rle"]})
    monkeypatch.setattr(png_settings, "LEVELS", (1,))
    monkeypatch.setattr(png_settings, "USUAL", ("rle", 1))
    picture: Picture = smooth_picture(50, 40)
    result = bench_png({"waves": [picture]}, trials=1)
    assert result["chosen"] == "rle, level 1"
    assert set(written) == {write_picture(picture, FileKind.PNG)}


def test_the_command_prints_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_settings, "usual_kinds", lambda: {"waves": [smooth_picture(40, 40)]})
    done = CliRunner().invoke(bench.app, ["png", "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert [row["pictures"] for row in result["chosen_for_each_kind"]] == ["waves"]
    assert result["settings"][0] == {"strategy": "filtered", "level": 3, "time": 1, "bytes": 1}
