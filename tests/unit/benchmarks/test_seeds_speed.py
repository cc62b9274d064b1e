"""The measurements of the profile seeds measure what they say."""

from __future__ import annotations

import json
import sys
from functools import partial

import pytest
from typer.testing import CliRunner

from regrow.benchmarks import pictures, seeds_speed
from regrow.benchmarks.decode import random_bundle
from regrow.benchmarks.decode_cold import ColdDecode
from regrow.benchmarks.seeds_memory import DecodeMemory, memory_of_decode
from regrow.cli import bench
from regrow.core.codec.decode import decode
from regrow.core.codec.presets import Effort
from regrow.core.codec.quality import measure
from tests.pictures import smooth_picture

MIB = 1 << 20


def test_an_encode_is_of_the_file_it_wrote() -> None:
    picture = smooth_picture(30, 40)
    row, bundle = seeds_speed.encode(picture, Effort.DRAFT)
    assert (row["size"], row["effort"], row["sweeps"], row["bytes"]) == ("40×30", "draft", 1, len(bundle))
    assert row["psnr"] == measure(picture.pixels, decode(bundle).picture.pixels).psnr
    assert 0 < row["search_seconds"] < row["all_seconds"]


def test_the_command_prints_all(monkeypatch: pytest.MonkeyPatch) -> None:
    colds = iter([ColdDecode(0.1, 0.6, 1.0), ColdDecode(0.1, 0.2, 0.5), ColdDecode(0.1, 0.3, 0.5)] * 2)
    monkeypatch.setattr(pictures, "load_pictures", lambda folder, side: [smooth_picture(side // 8, side // 8)])
    quick = partial(seeds_speed.bench_seeds_speed, efforts=(Effort.DRAFT,), trials=1)
    monkeypatch.setattr(seeds_speed, "bench_seeds_speed", quick)
    monkeypatch.setattr(seeds_speed, "cold_decode", lambda data, trials: next(colds))
    monkeypatch.setattr(seeds_speed, "memory_of_decode", lambda data: DecodeMemory(3.0, 90.0))
    done = CliRunner().invoke(bench.app, ["seeds-speed", "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert [row["effort"] for row in result["encode"]] == ["draft"]
    rows = result["decode"]
    assert [(row["profile"], row["size"]) for row in rows] == [
        (profile, size) for profile in ("seeds", "rules") for size in ("64×64", "5×5")
    ]
    assert rows[0]["bytes"] == result["encode"][0]["bytes"]
    assert (rows[0]["memory_more_mib"], rows[0]["memory_peak_of_process_mib"]) == (3, 90)
    assert rows[0]["times_jpeg"] == pytest.approx(rows[0]["warm_ms"] / rows[0]["jpeg_ms"])
    large, small = result["seeds_against_rules"]
    assert large["warm_times"] == pytest.approx(rows[0]["warm_ms"] / rows[2]["warm_ms"])
    assert small["warm_times"] == pytest.approx(rows[1]["warm_ms"] / rows[3]["warm_ms"])
    assert (large["cold_first_decode_times"], large["cold_process_times"]) == (pytest.approx(2), pytest.approx(2))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tell")
def test_memory_grows_with_the_picture() -> None:
    small, large = (memory_of_decode(random_bundle(side, side)) for side in (40, 600))
    assert small is not None
    assert large is not None
    assert large.more - small.more > 600 * 600 * 3 / MIB
    assert 0 <= small.more < 20
    assert large.more < large.peak
