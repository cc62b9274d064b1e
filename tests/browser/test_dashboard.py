"""The dashboard in a real headless Chromium, with a real API and Valkey behind it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect, sync_playwright

from regrow.core.access.keys import KeyStore
from regrow.core.access.principal import Role
from regrow.core.jobs.documents import JobKeys
from regrow.core.jobs.model import JobFailure, JobState
from regrow.core.jobs.processes import ProcessRecord, ProcessRegistry, ProcessState
from regrow.core.jobs.queue import WorkQueue
from regrow.core.jobs.store import JobStore
from regrow.core.jobs.work_unit import WorkUnit
from regrow.core.jobs.workers import WorkerRecord, WorkerRegistry
from regrow.core.stores.files import FilesBlobStore
from regrow.core.stores.redis import connect
from tests import services
from tests.bundles import random_bundle
from tests.claims import claim_next
from tests.pictures import smooth_file

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")

if CHROMIUM is None and os.environ.get("CI"):
    pytest.fail("CI needs Chromium: apt-get install chromium", pytrace=False)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")

expect.set_options(timeout=30_000)

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        yield page
        browser.close()
        assert errors == []


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    with services.valkey(tmp_path / "valkey") as url:
        yield url


Backend = tuple[httpx.Client, JobStore, WorkerRegistry, FilesBlobStore]


@pytest.fixture
def backend(tmp_path: Path, redis_url: str) -> Iterator[Backend]:
    environment = {"REGROW_REDIS_URL": redis_url, "REGROW_BLOB_FOLDER": str(tmp_path / "blobs")}
    with (
        services.api(environment, tmp_path) as running,
        httpx.Client(base_url=running.url) as client,
        connect(redis_url) as redis,
    ):
        yield client, JobStore(redis), WorkerRegistry(redis), FilesBlobStore(tmp_path / "blobs")


def _finish(store: JobStore, queue: WorkQueue, blobs: FilesBlobStore, unit: WorkUnit) -> None:
    """What a worker would do, without the training."""
    blobs.put(JobKeys(unit.job_id).bundle, random_bundle(30, 20))
    queue.finish(unit)
    store.end(unit.job_id, JobState.SUCCEEDED, {"psnr": 31.4159, "bytes": 1234})


def test_E2_jobs_and_workers_live(page: Page, backend: Backend, redis_url: str) -> None:
    client, store, workers, blobs = backend
    page.goto(str(client.base_url) + "/admin")
    expect(page.get_by_text("No jobs yet")).to_be_visible()
    expect(page.get_by_text("No worker is alive")).to_be_visible()

    worker = WorkerRecord(
        id="host:1", host="host", pid=1, device="cpu", engine="numba", version="0", current="<b>bold</b>"
    )
    workers.report(worker, expires_after=60)
    job_id = client.post("/encode", content=smooth_file(30, 20)).json()["id"]
    row = page.locator(f'#jobs tr[data-id="{job_id}"]')
    expect(row).to_contain_text("queued")
    expect(row.locator("code")).to_have_text(job_id[-8:])  # its beginning is that of all jobs of the minute
    expect(page.locator("#workers")).to_contain_text("numba")
    expect(page.locator("#workers")).to_contain_text("<b>bold</b>")  # shown as text, not as HTML
    expect(page.locator("#workers-count")).to_have_text("1 alive")
    refused = {"refused": "install one release on both", "patch_iterations_per_second": 1234.4}
    workers.report(worker.model_copy(update=refused), expires_after=60)
    expect(page.locator("#workers")).to_contain_text("install one release on both")
    expect(page.locator("#workers")).to_contain_text("1,234")

    queue = WorkQueue(connect(redis_url), lease=60)
    claim = claim_next(queue, 1)
    assert claim is not None
    queue.note_progress(claim, 0.5)
    expect(row.locator("progress")).to_have_js_property("value", 0.5)
    _finish(store, queue, blobs, claim)
    expect(row).to_contain_text("succeeded")
    expect(row).to_contain_text("31.42 dB")
    expect(row).to_contain_text("1,234")
    expect(row.locator("img")).to_have_js_property("naturalWidth", 20)

    other = client.post("/encode", content=smooth_file(8, 8)).json()["id"]
    store.fail(other, JobFailure("batch-failed", "batch 0 was tried 3 times"))
    expect(page.locator(f'#jobs tr[data-id="{other}"]')).to_contain_text("batch 0 was tried 3 times")
    expect(page.locator("#jobs tr").first).to_have_attribute("data-id", other)  # newest first


def test_E3_D6_pages_need_no_internet_and_no_root(page: Page, backend: Backend) -> None:
    """E3, D6: below a prefix that a proxy takes off without a word. All that is asked for is below it, and the pages'
    policy is obeyed: else there is an error on the console."""
    client, root = backend[0], "http://proxy.example/tools/regrow"
    job_id = client.post("/encode", content=smooth_file(30, 20)).json()["id"]
    asked: list[str] = []

    def proxy(route: Route) -> None:
        answer = client.request(route.request.method, route.request.url.removeprefix(root))
        route.fulfill(status=answer.status_code, headers=dict(answer.headers), body=answer.content)

    page.on("request", lambda request: asked.append(request.url))
    page.route(f"{root}/**", proxy)
    page.goto(f"{root}/admin")
    expect(page.locator("#connection")).to_have_text("live")
    expect(page.locator(f'#jobs tr[data-id="{job_id}"]')).to_contain_text("queued")

    page.goto(f"{root}/docs")
    expect(page.locator("#operations-encode-encode_encode_post")).to_contain_text("/encode")
    operation = page.locator("#operations-health-livez_livez_get")
    operation.locator("button").first.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".request-url")).to_contain_text(f"{root}/livez")
    expect(operation.locator(".live-responses-table")).to_contain_text('"ok"')
    assert f"{root}/livez" in asked
    assert [url for url in asked if not url.startswith((f"{root}/", "data:"))] == []


def test_what_serve_keeps_running(page: Page, backend: Backend, redis_url: str) -> None:
    page.goto(str(backend[0].base_url) + "/admin")
    expect(page.locator("#connection")).to_have_text("live")
    expect(page.locator("#processes-section")).to_be_hidden()  # a fleet has no supervisor

    valkey = ProcessRecord(
        name="Valkey", pid=2, state=ProcessState.RUNNING, restarts=0, last_exit=None, since="2026-01-01T00:00:00.000Z"
    )
    worker = valkey.model_copy(
        update={"name": "worker 0", "state": ProcessState.RESTARTING, "restarts": 7, "last_exit": "<b>status 3</b>"}
    )
    with connect(redis_url) as redis:
        ProcessRegistry(redis).report([valkey, worker], expires_after=60)
        expect(page.locator("#processes-section")).to_be_visible()
        expect(page.locator("#processes-count")).to_have_text("1 of 2 running")
        row = page.locator('#processes tr[data-id="worker 0"]')
        expect(row.locator(".state")).to_have_text("restarting")
        expect(row).to_contain_text("7")
        expect(row).to_contain_text("<b>status 3</b>")  # shown as text, not as HTML
        ProcessRegistry(redis).report([], expires_after=60)
        expect(page.locator("#processes-section")).to_be_hidden()


def test_a_lost_server_is_shown(page: Page, backend: Backend) -> None:
    client, _, _, _ = backend
    page.goto(str(client.base_url) + "/admin")
    expect(page.locator("#connection")).to_have_text("live")
    page.route("**/jobs", lambda route: route.fulfill(status=200, json={"unexpected": True}))
    expect(page.locator("#connection")).to_contain_text("not live")
    page.unroute("**/jobs")
    expect(page.locator("#connection")).to_have_text("live")


def test_H6_with_keys_a_browser_asks_for_one(backend: Backend) -> None:
    """H6: as a password; the dashboard's own requests and pictures then carry it too."""
    client, _store, _, blobs = backend
    keys = KeyStore(blobs)
    job_id = client.post("/encode", content=smooth_file(30, 20)).json()["id"]
    user, admin = keys.create("alice")[0], keys.create("root", Role.ADMIN)[0]
    services.wait_until(lambda: client.get("/jobs").status_code == 401, "the keys' arrival")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        for key, status in ((user, 403), (admin, 200)):
            page = browser.new_context(http_credentials={"username": "me", "password": key}).new_page()
            answer = page.goto(str(client.base_url) + "/admin")
            assert answer is not None
            assert answer.status == status
        expect(page.locator(f'#jobs tr[data-id="{job_id}"]')).to_contain_text("queued")
        expect(page.locator("#connection")).to_have_text("live")
        browser.close()
