"""`regrow submit` against a real service: folders in, bundles out, failures told per image, and on again."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from regrow.cli import submit
from regrow.cli.files import write_whole
from regrow.cli.main import app
from regrow.cli.submit import NotAllEncoded
from regrow.client import AsyncClient, Client, Conflict, Job, NotFound, Refused, Unreachable
from regrow.core.codec.decode import decode
from regrow.core.errors import InvalidSettings
from tests.archives import zip_of
from tests.integration.faults.fleet import Fleet
from tests.pictures import smooth_file
from tests.services import free_ports

FAULTY = "tests.integration.faults.faulty_worker"  # flat patches: it is the way that is tested


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("submit")) as fleet:
        fleet.start_sweeper()
        fleet.start_api()
        fleet.start_workers(1, FAULTY)
        yield fleet


def _submit(fleet: Fleet, *arguments: object) -> str:
    words = ["submit", *map(str, arguments), "--server", str(fleet.client.base_url)]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_folder_comes_back_as_bundles(fleet: Fleet, tmp_path: Path) -> None:
    for number, kind in enumerate(("PNG", "JPEG", "WEBP")):
        (tmp_path / f"{number}.{kind.lower()}").write_bytes(smooth_file(30 + number, 50, kind, seed=number))
    (tmp_path / "notes.txt").write_text("not an image")
    lines = _submit(fleet, tmp_path, "-o", tmp_path / "out", "--json").splitlines()
    assert len(lines) == 3
    for line in lines:
        report = json.loads(line)
        data = Path(report["bundle"]).read_bytes()
        assert report["bytes"] == len(data)
    for number in range(3):
        assert decode((tmp_path / "out" / f"{number}.gnca").read_bytes()).picture.height == 30 + number


def test_the_same_again_makes_no_second_job(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(smooth_file(20, 20, seed=5))
    assert "a.gnca" in _submit(fleet, tmp_path / "a.png")
    before = len(fleet.client.get("/jobs?limit=200").json()["jobs"])
    (tmp_path / "a.gnca").unlink()
    _submit(fleet, tmp_path / "a.png")
    assert len(fleet.client.get("/jobs?limit=200").json()["jobs"]) == before
    assert (tmp_path / "a.gnca").exists()


def test_D2_what_has_its_bundle_is_left_out(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(smooth_file(20, 20, seed=5))
    (tmp_path / "a.gnca").write_bytes(b"what is there")
    assert _submit(fleet, tmp_path) == ""
    assert (tmp_path / "a.gnca").read_bytes() == b"what is there"
    assert "a.gnca" in _submit(fleet, tmp_path, "--force")
    assert decode((tmp_path / "a.gnca").read_bytes()).picture.height == 20


def test_D5_companions_and_bad_names_do_not_end_the_run(
    fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = os.fsencode(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in (b"\xff.jfif", b"sub/b.jpe", b"._a.jpg"):
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(smooth_file(20, 20, "JPEG", seed=9))
    lines = _submit(fleet, tmp_path, "-r", "-o", tmp_path / "out", "--json").splitlines()
    names = [json.loads(line)["image"] for line in lines]
    assert [name.removeprefix(f"{tmp_path}/") for name in names] == [r"\xff.jfif", "sub/b.jpe"]
    assert (tmp_path / "out" / "sub" / "b.gnca").exists()
    (tmp_path / "gone.png").symlink_to("nowhere")
    with pytest.raises(NotAllEncoded, match="1 of 2 images have no bundle"):
        _submit(fleet, tmp_path, tmp_path / "gone.png")


@pytest.mark.parametrize("fault", ["deleted", "full"])
def test_D5_a_bundle_that_cannot_be_fetched_or_written_costs_a_line(
    fault: str, fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(smooth_file(20, 20, seed=60 + ord(name) + len(fault)))
    report, failed = Client.report, list[str]()

    def delete_first(client: Client, job_id: str) -> dict[str, Any]:
        if not failed:
            failed.append(job_id)
            assert fleet.client.delete(f"/jobs/{job_id}").is_success
        return report(client, job_id)

    def fail_first(path: Path, data: bytes, *, force: bool) -> None:
        if not failed:
            failed.append(path.name)
            raise OSError(errno.ENOSPC, "No space left on device")
        write_whole(path, data, force=force)

    if fault == "deleted":
        monkeypatch.setattr(Client, "report", delete_first)
    else:
        monkeypatch.setattr(submit, "write_whole", fail_first)
    with pytest.raises(NotAllEncoded, match="1 of 2 images have no bundle"):
        _submit(fleet, tmp_path)
    assert len(failed) == len(list(tmp_path.glob("*.gnca"))) == 1


def test_bad_images_are_told_and_the_others_done(
    fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    (tmp_path / "zip.png").write_bytes(zip_of({"a.png": smooth_file(20, 20)}))
    (tmp_path / "good.png").write_bytes(smooth_file(20, 20, seed=6))
    with pytest.raises(NotAllEncoded, match="2 of 3 images have no bundle"):
        _submit(fleet, tmp_path)
    assert (tmp_path / "good.gnca").exists()
    assert not (tmp_path / "bad.gnca").exists()


def test_a_folder_is_sent_as_a_group(fleet: Fleet, tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(smooth_file(20, 30 + number, seed=7))
    _submit(fleet, tmp_path)
    groups = {job["group"] for job in fleet.client.get("/jobs?limit=2").json()["jobs"]}
    assert len(groups) == 1
    assert fleet.client.get(f"/groups/{groups.pop()}").json()["ended"] is True


def test_clashes_and_empty_folders_are_refused(fleet: Fleet, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="there is no PNG"):
        _submit(fleet, tmp_path)
    for name in ("a.png", "a.jpg"):
        (tmp_path / name).write_bytes(smooth_file(8, 8))
    with pytest.raises(NotAllEncoded, match="1 of 2 images have no bundle"):
        _submit(fleet, tmp_path)
    assert (tmp_path / "a.gnca").exists()


def test_a_server_that_is_not_there_is_named() -> None:
    (port,) = free_ports(1)
    with (
        Client(f"http://127.0.0.1:{port}", patience=0) as client,
        pytest.raises(Unreachable, match="cannot be reached"),
    ):
        client.job("0" * 32)


def test_a_refused_option_is_one_line(fleet: Fleet, tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(smooth_file(20, 20, seed=number))
    with pytest.raises(Refused, match="target_psnr"):
        _submit(fleet, tmp_path, "--target-psnr", 99)
    with pytest.raises(Refused, match="quality is for the profile seeds"):
        _submit(fleet, tmp_path, "--quality", 30, "--profile", "rules")


def test_the_clients_do_what_the_api_offers(fleet: Fleet) -> None:
    with Client(str(fleet.client.base_url)) as client:
        job = client.wait(client.submit(smooth_file(20, 24, seed=80), effort="draft").id)
        assert (job.state, job.width, job.height) == ("succeeded", 24, 20)
        assert [event.is_last for event in client.events(job.id)] == [True]
        assert job in client.jobs(["succeeded"], limit=200).jobs
        assert client.picture(job.id) == client.fetch(job.links["picture"]) == client.decode(client.bundle(job.id))
        assert client.picture(job.id, "webp", crop=(0, 0, 5, 5), scale=2) != client.picture(job.id, "webp")
        assert client.picture(job.id, "webp", animate=True).startswith(b"RIFF")
        assert client.report(job.id)["bytes"] == len(client.bundle(job.id)) == job.bytes
        assert client.source(job.id) == client.fetch(job.links["source"])
        for refused in (client.cancel, client.retry):
            with pytest.raises(Conflict):
                refused(job.id)
        images = [("a.png", smooth_file(20, 20, seed=81)), ("b.png", b"no image")]
        group = client.wait_for_group(client.submit_group(images, priority="high").id)
        assert [image.state for image in group.items] == ["succeeded", None]
        assert client.cancel_group(group.id) == group
        client.delete_group(group.id)
        client.delete(job.id)
        for find, gone in ((client.job, job.id), (client.group, group.id)):
            with pytest.raises(NotFound):
                find(gone)


def test_the_async_client_follows_many_jobs_at_once(fleet: Fleet) -> None:
    async def encode(client: AsyncClient, seed: int) -> tuple[Job, bytes]:
        job = await client.submit(smooth_file(20, 20, seed=seed), effort="draft")
        states = [event.job.state async for event in client.events(job.id) if event.job]
        assert states[-1] == "succeeded"
        return await client.wait(job.id), await client.bundle(job.id)

    async def run() -> list[tuple[Job, bytes]]:
        async with AsyncClient(str(fleet.client.base_url)) as client:
            found = await asyncio.gather(*(encode(client, seed) for seed in (90, 91, 92)))
            group = await client.submit_group([("a.png", smooth_file(20, 20, seed=93))])
            assert (await client.wait_for_group(group.id)).states == {"succeeded": 1}
            with pytest.raises(NotFound):
                await client.delete("0" * 32)
            return found

    for job, bundle in asyncio.run(run()):
        assert job.bytes == len(bundle)
