"""`/metrics` of a real API process, with a real Valkey; jobs come to their ends through regrow.core.jobs."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import generate_latest

from regrow.api.app import create_app
from regrow.api.asgi import metrics
from regrow.api.asgi.metrics import Metrics
from regrow.core.codec.encode.encoder import EncodedPatches
from regrow.core.codec.encode.flat import flat_candidate
from regrow.core.codec.fit.checkpoint import Checkpoints
from regrow.core.codec.fit.engines import ENGINES
from regrow.core.codec.fit.task import FitHooks
from regrow.core.codec.images import Picture
from regrow.core.codec.settings import EncodeSettings
from regrow.core.jobs.counters import Counters
from regrow.core.jobs.lifecycle import Jobs
from regrow.core.jobs.model import JobFailure, new_job_id
from regrow.core.jobs.queue import WorkQueue
from regrow.core.jobs.workers import WorkerRecord, WorkerRegistry
from regrow.core.stores.redis import connect
from regrow.worker.encode_job import EncodeJob
from regrow.worker.leases import Leases
from regrow.worker.source_cache import Sources
from regrow.worker.speed import Speed
from tests import services
from tests.bundles import random_bundle
from tests.claims import claim_next
from tests.jobs import accept, backend_at, job_document
from tests.pictures import smooth_picture
from tests.scrapes import families, fleet_grown, grown, scrape
from tests.services import wait_until

OPERATIONS = Path(__file__).parents[2] / "docs" / "OPERATIONS.md"


def _flat(
    picture: Picture, patches: range, asked: EncodeSettings, hooks: FitHooks, checkpoints: Checkpoints[bytes]
) -> EncodedPatches:
    return EncodedPatches([[flat_candidate(picture, patch, asked)] for patch in patches], 1000 * len(patches))


@pytest.fixture(scope="module")
def jobs(redis_url: str, blob_folder: Path) -> Iterator[Jobs]:
    backend = backend_at(redis_url, blob_folder)
    yield backend.jobs
    backend.redis.close()


@pytest.fixture
def queue(redis_url: str) -> Iterator[WorkQueue]:
    with connect(redis_url) as redis:
        yield WorkQueue(redis, lease=60)


@pytest.fixture
def worker(jobs: Jobs, queue: WorkQueue, redis_url: str) -> Iterator[EncodeJob]:
    """A worker's work without its process, and without training."""
    with connect(redis_url) as redis:
        yield EncodeJob(
            jobs=jobs,
            store=jobs.store,
            blobs=jobs.blobs,
            leases=Leases(queue),
            sources=Sources(jobs.blobs),
            counters=Counters(redis),
            encode=_flat,
            speed=Speed("numba"),
            checkpoint_seconds=60,
            stopping=threading.Event(),
        )


def _accept(jobs: Jobs, patches: int = 3) -> str:
    document = job_document(patches)
    accept(jobs, document, smooth_picture(40, 40 * patches, 3).to_png())
    return document.id


def _work(worker: EncodeJob) -> None:
    """The next unit of some job."""
    claim = claim_next(worker.leases.queue, 100)
    assert claim is not None
    with worker.leases.holding(claim) as hold:
        worker.run(hold)
        worker.leases.queue.let_go(hold.unit)


def test_a_job_from_its_acceptance_to_its_end(client: httpx.Client, jobs: Jobs, worker: EncodeJob) -> None:
    before = scrape(client)
    _accept(jobs, 3)
    queued = scrape(client)
    _work(worker)
    fitted = scrape(client)
    _work(worker)
    ended = scrape(client)
    entry = {'regrow_jobs{state="queued"}': 1, "regrow_outstanding_patches{}": 3}
    assert fleet_grown(before, queued) == entry | {'regrow_queue_jobs{priority="normal"}': 1}
    assert fleet_grown(queued, fitted) == {name: -value for name, value in entry.items()} | {
        'regrow_jobs{state="assembling"}': 1,
        "regrow_patch_iterations_total{}": 3000,
        "regrow_batch_duration_seconds_count{}": 1,
        'regrow_batch_duration_seconds_bucket{le="+Inf"}': 1,
    }
    assert fleet_grown(fitted, ended) == {
        'regrow_jobs{state="assembling"}': -1,
        'regrow_queue_jobs{priority="normal"}': -1,
        'regrow_jobs_ended_total{state="succeeded"}': 1,
    }


def test_failed_and_cancelled_jobs(client: httpx.Client, jobs: Jobs, queue: WorkQueue) -> None:
    before = scrape(client)
    failing, cancelled = _accept(jobs), _accept(jobs)
    assert claim_next(queue, 1) is not None
    assert grown(before, scrape(client))['regrow_jobs{state="fitting"}'] == 1
    jobs.fail(failing, JobFailure("timeout", "it took too long"))
    client.post(f"/jobs/{cancelled}/cancel").raise_for_status()
    assert fleet_grown(before, scrape(client)) == {
        'regrow_jobs_ended_total{state="failed"}': 1,
        'regrow_job_failures_total{type="timeout"}': 1,
        'regrow_jobs_ended_total{state="cancelled"}': 1,
    }


def test_decodes_and_caches(client: httpx.Client, jobs: Jobs, worker: EncodeJob) -> None:
    job_id = _accept(jobs, 2)
    for _ in ("fit", "assemble"):
        _work(worker)
    before = scrape(client)
    for _ in range(3):
        client.get(f"/decode/{job_id}.webp").raise_for_status()
    client.get(f"/decode/{job_id}.gif").raise_for_status()
    client.post("/decode", content=random_bundle(20, 20)).raise_for_status()
    found = grown(before, scrape(client))
    decodes = {name: count for name, count in found.items() if name.startswith("regrow_decode_duration_seconds_count")}
    assert decodes == {
        f'regrow_decode_duration_seconds_count{{kind="{kind}"}}': 1 for kind in ("webp", "growth.gif", "png")
    }
    assert found['regrow_decode_duration_seconds_sum{kind="growth.gif"}'] > 0
    caches = {name: count for name, count in found.items() if name.startswith("regrow_cache")}
    assert caches == {
        'regrow_cache_misses_total{cache="bundle"}': 1,
        'regrow_cache_hits_total{cache="bundle"}': 3,
        'regrow_cache_misses_total{cache="picture"}': 2,
        'regrow_cache_hits_total{cache="picture"}': 2,
    }


def test_workers_by_engine(client: httpx.Client, redis_url: str) -> None:
    assert set(metrics.ENGINES) == set(ENGINES)
    with connect(redis_url) as redis:
        registry = WorkerRegistry(redis)
        for pid, engine in enumerate(("cuda", "numba", "numba")):
            record = WorkerRecord(id=f"host:{pid}", host="host", pid=pid, device="", engine=engine, version="1")
            registry.report(record, expires_after=60)
        found = scrape(client)
        for pid in range(3):
            registry.remove(f"host:{pid}")
    workers = {engine: found[f'regrow_workers{{engine="{engine}"}}'] for engine in ENGINES}
    assert workers == {"cuda": 1, "numba": 2, "torch": 0}
    assert scrape(client)['regrow_workers{engine="numba"}'] == 0


def test_requests_count_by_route_never_by_path(client: httpx.Client) -> None:
    for path in ("/jobs/{}", "/no/such/{}", "/static/{}"):
        client.get(path.format("first"))
    before = scrape(client)
    for _ in range(20):
        for path in ("/jobs/{}", "/no/such/{}", "/static/{}"):
            client.get(path.format(new_job_id()))
    client.delete("/livez")
    client.request("PROPFIND", "/livez")
    after = scrape(client)
    found = {name: count for name, count in grown(before, after).items() if "requests_total" in name}
    assert found == {
        'regrow_http_requests_total{method="GET",route="/jobs/{id}",status="404"}': 20,
        'regrow_http_requests_total{method="GET",route="other",status="404"}': 40,
        'regrow_http_requests_total{method="DELETE",route="/livez",status="405"}': 1,
        'regrow_http_requests_total{method="other",route="/livez",status="405"}': 1,
        'regrow_http_requests_total{method="GET",route="/metrics",status="200"}': 1,
    }
    times = 'regrow_http_request_duration_seconds_{}{{method="GET",route="/jobs/{{id}}"}}'
    assert grown(before, after)[times.format("count")] == 20
    assert 0 < grown(before, after)[times.format("sum")] < 20


def test_problems_by_type(client: httpx.Client) -> None:
    before = scrape(client)
    client.get(f"/jobs/{new_job_id()}")
    client.post("/encode", content=b"no picture")
    client.post("/encode", content=bytes(200_001))
    client.get("/jobs?limit=-1")
    client.get("/nothing")
    client.get("/livez", headers={"Host": "evil.example"})
    client.get("/jobs", headers={"Host": "evil.example"})
    found = {name: count for name, count in grown(before, scrape(client)).items() if "problems" in name}
    types = ("job-not-found", "unsupported-image", "content-too-large", "invalid-option", "not-found", "forbidden")
    assert found == {f'regrow_problems_total{{type="{each}"}}': 1 for each in types}


def test_without_redis_the_process_still_tells_of_itself(tmp_path: Path) -> None:
    (port,) = services.free_ports(1)
    with services.valkey(tmp_path / "valkey", port) as url:
        environment = {"REGROW_REDIS_URL": url, "REGROW_BLOB_FOLDER": str(tmp_path / "blobs")}
    with services.api(environment, tmp_path) as running, httpx.Client(base_url=running.url, timeout=30) as http:
        assert http.get(f"/jobs/{new_job_id()}").status_code == 503
        found = scrape(http)
        assert found["regrow_redis_up{}"] == 0
        assert found['regrow_problems_total{type="service-unavailable"}'] == 1
        assert found["process_resident_memory_bytes{}"] > 1e6
        assert not [name for name in found if name.startswith(("regrow_jobs", "regrow_workers", "regrow_batch"))]
        with services.valkey(tmp_path / "valkey", port) as again:
            assert again == url
            wait_until(lambda: scrape(http)["regrow_redis_up{}"] == 1, "Redis' return")
            assert scrape(http)['regrow_jobs{state="queued"}'] == 0


def test_each_application_has_its_own(client: httpx.Client) -> None:
    first, second = Metrics(), Metrics()
    first.problems.labels("forbidden").inc()
    assert b'type="forbidden"' in generate_latest(first.registry)
    assert b'type="forbidden"' not in generate_latest(second.registry)
    assert create_app().state.service.metrics is not create_app().state.service.metrics


def test_names_are_as_prometheus_wants_them(client: httpx.Client) -> None:
    for family in families(client):
        assert family.documentation
        names = {sample.name for sample in family.samples}
        assert not [name for name in names if name.endswith("_created")]
        match family.type:
            case "counter":
                assert all(name.endswith("_total") for name in names), names
            case "histogram":
                assert family.name.endswith("_seconds")
            case kind:
                assert kind == "gauge"


def test_the_documented_metrics_are_those_exported(client: httpx.Client) -> None:
    section = OPERATIONS.read_text().partition("## Metrics\n")[2].partition("\n## ")[0]
    documented = {
        (name, tuple(filter(None, labels.split(", "))))
        for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        for name, labels in re.findall(r"`(\w+)(?:\{(.*?)\})?`", row)
    }
    exported = {family.name + "_total" * (family.type == "counter"): family for family in families(client)}
    assert {name for name, _ in documented} == exported.keys()
    for name, labels in documented:
        for sample in exported[name].samples:
            assert sample.labels.keys() - {"le"} == set(labels), name


def test_the_document_says_that_it_is_text(client: httpx.Client) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/metrics"]["get"]
    assert list(operation["responses"]["200"]["content"]) == ["text/plain"]
