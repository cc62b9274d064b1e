"""The decoder's measurements measure what they say."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from regrow.benchmarks import decode, pictures
from regrow.benchmarks.decode_cold import ColdDecode
from regrow.cli import bench
from regrow.core.codec.decode import decode as decode_picture
from regrow.core.codec.format.bundle import read_bundle
from regrow.core.codec.presets import Preset
from regrow.core.codec.seeds import SeedKind
from tests.pictures import smooth_picture


def test_operations_by_hand() -> None:
    """W1 (20×42) and W2 (14×20), a multiplication and an addition for each weight, cell and step."""
    assert decode.growth_operations(Preset.SMALL.shape(), 1600, 12) == 12 * 2 * 1600 * (20 * 42 + 14 * 20)


def test_the_random_picture_is_of_usual_size_and_not_flat() -> None:
    data = decode.random_bundle(90, 50)
    header = read_bundle(data).header
    assert (header.height, header.width, header.grid.count) == (90, 50, 6)
    assert 4.5 < 8 * len(data) / (6 * Preset.SMALL.shape().parameters) < 6
    assert np.std(decode_picture(data).picture.pixels) > 5


def test_rates_follow_from_times() -> None:
    row = decode.kernel_row(Preset.SMALL, SeedKind.SCAFFOLD, {1: 100.0, 2: 200.0}, 2, patches=4, trials=1)
    operations = decode.growth_operations(Preset.SMALL.shape(), 1600, 12)
    assert row["steps"] == 12
    assert row["one_thread_gops"] == pytest.approx(operations / row["one_thread_ms"] / 1e6)
    assert row["share_of_sgemm_peak_all_threads"] == pytest.approx(row["all_threads_gops"] / 200)


def test_the_command_prints_all(monkeypatch: pytest.MonkeyPatch) -> None:
    photo, measure = smooth_picture(60, 50), decode.bench_decode
    monkeypatch.setattr(pictures, "load_pictures", lambda folder, side: [photo])
    monkeypatch.setattr(decode, "bench_decode", lambda photo: measure(photo, patches=2, trials=1))
    monkeypatch.setattr(decode, "sgemm_gflops", lambda threads: 100.0)
    # One fresh process is enough for a test of the shape.
    monkeypatch.setattr(decode, "cold_decode", lambda data, trials: ColdDecode(0.1, 0.2, 0.4))
    monkeypatch.setattr(decode, "api_import_seconds", lambda trials: 0.7)
    done = CliRunner().invoke(bench.app, ["decode", "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert [(row["preset"], row["steps"]) for row in result["kernel"]] == [
        (preset, steps) for preset in ("small", "medium", "large") for steps in (12, 40)
    ]
    assert (result["picture"]["size"], result["picture"]["patches"]) == ("50×60", 4)
    *parts, whole = result["where_time_goes"]
    assert sum(part["ms"] for part in parts) >= whole["ms"] * 0.999
    jpeg = result["against_jpeg"]
    assert jpeg["regrow_decode_times_jpeg"] == pytest.approx(jpeg["regrow_decode_ms"] / jpeg["jpeg_decode_ms"])
    assert result["cold"]["whole_process_ms"] == 400
    assert result["cold"]["import_api_goal_met"] is True


def test_a_fresh_process_decodes() -> None:
    from regrow.benchmarks.decode_cold import cold_decode

    cold = cold_decode(decode.random_bundle(40, 40), 1)
    assert 0 < cold.imports + cold.decode < cold.process
