"""The benchmark of the API: small, with real processes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from regrow.benchmarks import service
from regrow.benchmarks.service_load import Call, Plan
from regrow.benchmarks.service_plot import plot_service
from regrow.benchmarks.service_stack import load

ANSWERS = (service.FILE, service.CACHED, service.NOT_MODIFIED, service.COLD)


def test_it_measures_the_real_api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(service, "SIDES", (40, 80))
    monkeypatch.setattr(service, "COLD_PICTURES", 2)
    monkeypatch.setattr("regrow.benchmarks.service_mix.VIEWS", 4)
    monkeypatch.setattr(service, "WORKERS", 1)
    extent = service.Extent((2,), rounds=1, seconds=0.1, warm_up=20, mixed=20, waiting=0.5)
    result = service.bench_service(extent)
    assert {(row["side"], row["answer"], row["clients"]) for row in result["rates"]} == {
        (side, answer, 2) for side in (40, 80) for answer in ANSWERS
    }
    for row in result["rates"]:
        assert row["per_second"] > 0
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["ratio"] == 1 or row["answer"] != "static file"
    assert [row["meanwhile"] for row in result["waiting"]] == ["no worker", "1 workers fitting"]
    assert result["memory"]["resident_mb_before"] > 50
    assert {row["side"] for row in result["uploads"]} == {40, 80}
    assert len(result["targets"]) == 5
    plot_service(result, tmp_path / "service.png")
    assert (tmp_path / "service.png").stat().st_size > 10_000


class _Answers(BaseHTTPRequestHandler):
    """200 for /livez, 404 for all else."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/livez" else 404)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_clients_say_what_they_saw(port: int) -> None:
    seen = load(Plan(port, [Call("/livez"), Call("/nowhere")], clients=2, seconds=60, most=10), 200, 404)
    assert seen.statuses == {200: 5, 404: 5}
    assert len(seen.latencies) == len(seen.first_bytes) == 10
    with pytest.raises(RuntimeError, match="404"):
        load(Plan(port, [Call("/nowhere")], most=1), 200)
