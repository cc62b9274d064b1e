"""One contract, two stores: a local folder and a real SeaweedFS."""

from __future__ import annotations

import errno
import os
import threading
import uuid
from pathlib import Path

import pytest

from regrow.core.errors import BlobNotFound, ServiceUnavailable, UnfitStore
from regrow.core.stores import make_blob_store
from regrow.core.stores.blobs import BlobStore, delete_all
from regrow.core.stores.settings import BlobSettings
from regrow.core.times import now_ms
from tests.services import S3, free_ports


def _s3_settings(store: S3, **changes: object) -> BlobSettings:
    values = {
        "blob_store": "s3",
        "s3_endpoint": store.endpoint,
        "s3_access_key": store.access_key,
        "s3_secret_key": store.secret_key,
        "s3_bucket": store.bucket,
    }
    return BlobSettings(**(values | changes))


@pytest.fixture(params=["files", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "files":
        return make_blob_store(BlobSettings(blob_folder=tmp_path))
    return make_blob_store(_s3_settings(request.getfixturevalue("seaweedfs")))


@pytest.fixture
def prefix() -> str:
    return f"jobs/{uuid.uuid4().hex}/"


def test_what_is_put_is_got(blobs: BlobStore, prefix: str) -> None:
    data = bytes(range(256)) * 1000
    blobs.put(prefix + "a", data)
    assert blobs.get(prefix + "a") == data
    assert blobs.exists(prefix + "a")
    blobs.put(prefix + "a", b"")
    assert blobs.get(prefix + "a") == b""


def test_what_is_missing_is_named(blobs: BlobStore, prefix: str) -> None:
    with pytest.raises(BlobNotFound, match="nothing-here"):
        blobs.get(prefix + "nothing-here")
    assert not blobs.exists(prefix + "nothing-here")
    blobs.delete(prefix + "nothing-here")


def test_the_first_put_if_absent_wins(blobs: BlobStore, prefix: str) -> None:
    assert blobs.put_if_absent(prefix + "a", b"first")
    assert not blobs.put_if_absent(prefix + "a", b"second")
    assert blobs.get(prefix + "a") == b"first"


def test_of_many_writers_at_once_exactly_one_wins(blobs: BlobStore, prefix: str) -> None:
    """F5"""
    barrier, won = threading.Barrier(8), []

    def write(number: int) -> None:
        barrier.wait()
        if blobs.put_if_absent(prefix + "a", str(number).encode()):
            won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert blobs.get(prefix + "a") == str(won[0]).encode()


def test_listing_and_deleting_stay_within_the_prefix(blobs: BlobStore, prefix: str) -> None:
    for name in ("parts/2", "parts/1", "job.json"):
        blobs.put(prefix + name, b"x")
    assert blobs.list(prefix + "parts/") == [prefix + "parts/1", prefix + "parts/2"]
    delete_all(blobs, prefix + "parts/")
    assert blobs.list(prefix) == [prefix + "job.json"]
    delete_all(blobs, prefix)
    assert blobs.list(prefix) == []


def test_a_store_that_answers_passes_its_check(blobs: BlobStore) -> None:
    blobs.check()


def test_a_store_that_is_down_says_so(seaweedfs: S3) -> None:
    (port,) = free_ports(1)
    down = make_blob_store(_s3_settings(seaweedfs, s3_endpoint=f"http://127.0.0.1:{port}"))
    for call in (lambda: down.get("a"), lambda: down.put("a", b""), down.check):
        with pytest.raises(ServiceUnavailable):
            call()


def test_wrong_credentials_are_refused(seaweedfs: S3) -> None:
    wrong = make_blob_store(_s3_settings(seaweedfs, s3_secret_key="wrong"))
    with pytest.raises(ServiceUnavailable, match="refused"):
        wrong.put("a", b"x")


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    blobs = make_blob_store(BlobSettings(blob_folder=tmp_path / "file" / "below"))
    with pytest.raises(ServiceUnavailable):
        blobs.check()
    with pytest.raises(ServiceUnavailable):
        blobs.put("a", b"x")


def test_A3_a_folder_without_hard_links_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on exFAT and some network drives."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    blobs = make_blob_store(BlobSettings(blob_folder=tmp_path))
    for call in (blobs.check, blobs.check_fit, lambda: blobs.put_if_absent("a", b"x")):
        with pytest.raises(UnfitStore, match=r"no hard links.*choose a folder"):
            call()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_A3_what_a_killed_probe_left_is_removed_when_it_is_old(blobs: BlobStore) -> None:
    old, new = f"probes/{now_ms() - 7_200_000:013d}-old", f"probes/{now_ms():013d}-new"
    for key in (old, new):
        blobs.put(key, b"")
    blobs.tidy()
    assert (blobs.exists(old), blobs.exists(new)) == (False, True)
    blobs.delete(new)


def test_a_key_cannot_leave_the_folder(tmp_path: Path) -> None:
    blobs = make_blob_store(BlobSettings(blob_folder=tmp_path / "blobs"))
    with pytest.raises(ValueError, match="not a key"):
        blobs.put("../outside", b"x")
