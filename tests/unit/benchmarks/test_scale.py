"""The benchmark of the queue: small, with real processes; and its arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from regrow.benchmarks import scale
from regrow.benchmarks.scale_model import fleet_rows
from regrow.benchmarks.scale_plot import plot_scale


def test_it_measures_the_real_control_plane(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scale, "LOAD_SECONDS", 1.0)
    monkeypatch.setattr(scale, "THROUGHPUT_WORKERS", 1)
    monkeypatch.setattr(scale, "ROUNDS", 2)
    monkeypatch.setattr(scale, "HEARTBEATS", 50)
    monkeypatch.setattr(scale, "HALF_DONE", 200)
    result = scale.bench_scale(patches=[3, 30], workers=[1])
    assert [row["patches"] for row in result["jobs"]] == [3, 30]
    assert all(row["batches_per_second"] > 0 for row in result["jobs"])
    assert {row["request"] for row in result["latency_ms"]} == {"GET /jobs/<id>", "POST /encode"}
    assert 0 < result["efficiency"][0]["efficiency"] <= 1
    plot_scale(result, tmp_path / "scale.png")
    assert (tmp_path / "scale.png").stat().st_size > 10_000


def test_a_fleet_asks_in_proportion_to_its_size() -> None:
    rows = fleet_rows(valkey_ms_per_batch=0.3, valkey_ms_per_heartbeat=0.05)
    first, last = rows[0], rows[-1]
    assert last["workers"] == 10_000
    for name in ("batches_per_second", "heartbeats_per_second", "valkey_busy_share", "blob_requests_per_second"):
        assert last[name] == pytest.approx(first[name] * 10_000)
