"""A Valkey that answers and refuses: an outage like any other, which ends nothing and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

from tests.integration.faults.fleet import Fleet
from tests.integration.faults.poison import poisoned_file
from tests.integration.faults.refusals import REFUSALS
from tests.pictures import smooth_file
from tests.services import wait_until

FAULTY = "tests.integration.faults.faulty_worker"


def test_A4_a_broker_that_refuses_is_waited_for(tmp_path: Path) -> None:
    """One fleet for all refusals, one after the other: nothing of it is started again."""
    data, mark = smooth_file(40, 40), tmp_path / "mark"
    settings = {"REGROW_TEST_FAULT": "wait", "REGROW_TEST_MARK": str(mark)}
    with Fleet(tmp_path) as fleet:
        running = [fleet.start_sweeper(), *fleet.start_workers(1, FAULTY, **settings)]
        fleet.start_api()
        for refusal in REFUSALS:
            refusal.begin(fleet.redis)
            for answer in (fleet.client.get("/readyz"), fleet.client.post("/encode", content=data)):
                assert answer.status_code == 503, answer.text
                assert answer.json()["type"] == "/problems/service-unavailable"
                assert refusal.code in answer.json()["detail"]
                assert "retry-after" in answer.headers
            assert fleet.client.get("/readyz").json()["errors"][0]["field"] == "redis"
            assert [path for path in (tmp_path / "blobs" / "jobs").rglob("*") if path.is_file()] == []
            waiting = f"({refusal.code}): try again in a few seconds; waiting for it"
            wait_until(lambda words=waiting: words in fleet.log(FAULTY), "the worker's waiting")  # type: ignore[misc]
            refusal.end(fleet.redis)
            wait_until(lambda: fleet.client.get("/readyz").json().get("warnings") == [], "the worker being back")
            assert fleet.wait_for_end(fleet.send(data))["state"] == "succeeded"
            (job,) = fleet.client.get("/jobs").json()["jobs"]  # what was refused does not run later
            fleet.client.delete(job["links"]["self"]).raise_for_status()
        held = fleet.send(poisoned_file(80, 80, patch=3))
        wait_until(lambda: fleet.busy(running[1]), "a busy worker")
        REFUSALS[0].begin(fleet.redis)
        wait_until(lambda: fleet.client.get("/readyz").status_code == 503, "readiness failing")
        mark.touch()
        wait_until(lambda: "resting" in fleet.log(FAULTY), "the worker's rest")
        REFUSALS[0].end(fleet.redis)
        assert fleet.wait_for_end(held)["state"] == "succeeded"
        assert [child.poll() for child in running] == [None, None]
        assert fleet.log(FAULTY).count("Traceback") == 0
