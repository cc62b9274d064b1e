"""Every example in docs/API.md, run against a real service."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from regrow.core.codec.images import read_picture
from tests.archives import zip_of
from tests.integration.faults.fleet import Fleet
from tests.pictures import smooth_file
from tests.receivers import Receiver, receiving

FAULTY = "tests.integration.faults.faulty_worker"  # flat patches: it is the way that is tested
TEXT = (Path(__file__).parents[2] / "docs" / "API.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("examples"), REGROW_WEBHOOK_NETWORKS='["127.0.0.0/8"]') as fleet:
        fleet.start_api()
        fleet.start_sweeper()
        fleet.start_workers(1, FAULTY)
        yield fleet


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def done(fleet: Fleet, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all commands were run, in their order."""
    if shutil.which("curl") is None:
        if os.environ.get("CI"):
            pytest.fail("curl is needed: apt-get install curl")
        pytest.skip("curl is needed: apt-get install curl")
    folder = tmp_path_factory.mktemp("here")
    (folder / "photo.jpg").write_bytes(smooth_file(60, 90, "JPEG"))
    (folder / "other.png").write_bytes(smooth_file(20, 30))
    (folder / "notes.txt").write_text("not an image")
    (folder / "photos.zip").write_bytes(zip_of({"a.png": smooth_file(30, 30), "b.txt": b"x"}))
    script = "set -euo pipefail\n" + "\necho\n".join(_blocks("sh"))
    environment = os.environ | {"REGROW": str(fleet.client.base_url).rstrip("/"), "HOOK": receiver.url}
    run = subprocess.run(["bash", "-xc", script], cwd=folder, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    (folder / "output.txt").write_text(run.stdout)
    return folder


@pytest.mark.parametrize(
    ("name", "size"),
    [
        *(("photo.png", (60, 90)), ("part.png", (60, 80)), ("early.png", (60, 90)), ("photo.webp", (60, 90))),
        *(("again.png", (60, 90)), ("source.png", (60, 90)), ("growth.webp", (60, 90))),
    ],
)
def test_pictures_are_what_was_asked_for(done: Path, name: str, size: tuple[int, int]) -> None:
    picture = read_picture((done / name).read_bytes())
    assert (picture.height, picture.width) == size


def test_the_rest_is_what_the_text_says(done: Path) -> None:
    output = (done / "output.txt").read_text()
    assert "\n304\n" in output
    assert "/problems/unsupported-image" in output
    assert (done / "growth.gif").read_bytes()[:4] == b"GIF8"
    assert (done / "header.bin").read_bytes() == (done / "photo.gnca").read_bytes()[:32]
    assert "event: state" in (done / "events.txt").read_text()
    assert '"succeeded"' in (done / "events.txt").read_text()
    assert json.loads((done / "report.json").read_text())["bytes"] == (done / "photo.gnca").stat().st_size
    assert json.loads((done / "group.json").read_text())["refused"] == 1
    assert "b.txt" in (done / "manifest.csv").read_text()
    assert "# TYPE" in (done / "metrics.txt").read_text()


def test_webhooks_verify_as_shown(done: Path, receiver: Receiver) -> None:
    request = receiver.next()
    names: dict[str, Any] = {}
    exec(_blocks("python")[0], names)
    headers = {name.lower(): value for name, value in request.headers.items()}
    secret = json.loads((done / "secret.json").read_text())["secret"]
    assert names["is_genuine"](secret, headers, request.body)
    assert not names["is_genuine"](secret, headers, request.body + b" ")


def test_the_python_client_does_as_shown(fleet: Fleet, done: Path) -> None:
    names: dict[str, Any] = {}
    exec(_blocks("python")[1], names)
    assert names["encode"](str(fleet.client.base_url), done / "photo.jpg") == (done / "photo.gnca").read_bytes()
