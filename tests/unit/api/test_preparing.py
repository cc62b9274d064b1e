"""S1: the decoding of an uploaded picture is given up at its limits and with its client; the next goes on as usual."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image
from starlette.requests import ClientDisconnect

from regrow.api.submit.gone import Gone
from regrow.api.submit.preparing import Preparing, PreparingLimits, is_large
from regrow.core.codec.images import Head, ImageLimits, read_head, read_picture
from regrow.core.codec.reading.decode_cost import SCANS_OF_LARGEST
from regrow.core.errors import DamagedImage, ImageTooLarge, ServiceUnavailable, UnsupportedImage
from tests.pictures import image_file, smooth_file, with_scans
from tests.services import alive, wait_until

SMALL = smooth_file(30, 20)
SLOW = with_scans(smooth_file(2048, 2048, "JPEG", progressive=True), 4 * SCANS_OF_LARGEST)
"""As much work as is accepted: half a second, at the very least."""
HEAD, SLOW_HEAD = read_head(SMALL), read_head(SLOW)

MANY = 3600.0


@pytest.fixture
def preparing() -> Iterator[Preparing]:
    made = Preparing(PreparingLimits(ImageLimits(), MANY, 1 << 30), cores=1)
    yield made
    made.close()


def _children() -> set[int]:
    """Of this process, whichever thread started them."""
    found = set[int]()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread of another test that has just ended
            found.update(map(int, (task / "children").read_text().split()))
    return found


def test_S1_a_picture_comes_back_as_it_is_read(preparing: Preparing) -> None:
    done = preparing.prepare(SMALL, HEAD, "ann")
    assert (done.height, done.width, done.channels) == (30, 20, 3)
    assert (read_picture(done.png).pixels == read_picture(SMALL).pixels).all()


def test_S1_one_process_takes_one_picture_after_the_other(preparing: Preparing) -> None:
    before = _children()
    preparing.start()
    for _ in range(3):
        preparing.prepare(SMALL, HEAD, "ann")
    with pytest.raises(DamagedImage, match="truncated or damaged"):
        preparing.prepare(SMALL[:-30], HEAD, "ann")
    with pytest.raises(UnsupportedImage):
        preparing.prepare(b"<html>", HEAD, "ann")
    (process,) = _children() - before
    preparing.close()
    assert not alive(process)


def test_S1_it_has_none_of_the_settings_and_sockets(preparing: Preparing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGROW_S3_SECRET_KEY", "abc")
    before = _children()
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    try:
        preparing.prepare(SMALL, HEAD, "ann")
        (process,) = _children() - before
        assert b"REGROW" not in Path(f"/proc/{process}/environ").read_bytes()
        opened = {str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir()}
        assert str(Path(f"/proc/self/fd/{reading}").readlink()) not in opened
        assert not [name for name in opened if name.startswith("socket:")]
    finally:
        os.close(reading)
        os.close(writing)


def test_S1_too_long_is_refused() -> None:
    preparing = Preparing(PreparingLimits(ImageLimits(), 0.05, 1 << 30), cores=1)
    with pytest.raises(ImageTooLarge, match=r"^the image took longer than 0.05 s to decode$"):
        preparing.prepare(SLOW, SLOW_HEAD, "ann")
    preparing.close()


def test_S1_too_much_memory_is_refused() -> None:
    preparing = Preparing(PreparingLimits(ImageLimits(), MANY, 16 << 20), cores=1)
    with pytest.raises(ImageTooLarge, match=r"^the image takes more than 16 MiB of memory to decode$"):
        preparing.prepare(image_file(Image.new("RGB", (4000, 4000))), Head(4000, 4000, 1), "ann")
    assert preparing.prepare(SMALL, HEAD, "ann").width == 20
    preparing.close()


def test_S1_a_decoder_that_was_killed_is_replaced(preparing: Preparing) -> None:
    before = _children()
    preparing.start()
    (process,) = _children() - before
    os.kill(process, 9)
    assert preparing.prepare(SMALL, HEAD, "ann").width == 20


def test_S1_a_client_that_goes_ends_the_decoding_and_no_small_picture_waits_for_it(preparing: Preparing) -> None:
    """There is one process for large pictures, which stands still, and one for small ones."""
    assert is_large(SLOW_HEAD)
    assert not is_large(HEAD)
    before = _children()
    preparing.start()
    (process,) = _children() - before
    os.kill(process, signal.SIGSTOP)
    gone = [Gone(), Gone()]
    with ThreadPoolExecutor() as pool:
        found = [pool.submit(preparing.prepare, SLOW, SLOW_HEAD, "ann", each) for each in gone]
        wait_until(lambda: not preparing.idle, "the process being taken")
        assert preparing.prepare(SMALL, HEAD, "ann").width == 20
        for each in gone:
            each.set()
        for each in found:
            with pytest.raises(ClientDisconnect):
                each.result(60)
    assert not alive(process)


def test_S1_who_has_gone_gets_no_process(preparing: Preparing) -> None:
    gone = Gone()
    gone.set()
    with pytest.raises(ClientDisconnect):
        preparing.prepare(SMALL, HEAD, "ann", gone)
    assert preparing.prepare(SMALL, HEAD, "ann").width == 20


def test_S1_another_owner_needs_not_wait_for_one_who_has_all_that_it_may(preparing: Preparing) -> None:
    before = _children()
    preparing.start()
    (process,) = _children() - before
    os.kill(process, signal.SIGSTOP)
    gone = Gone()
    with ThreadPoolExecutor() as pool:
        found = [pool.submit(preparing.prepare, SLOW, SLOW_HEAD, "ann", gone) for _ in range(2)]
        try:
            wait_until(lambda: not preparing.idle, "the process being taken")
            assert preparing.prepare(SMALL, SLOW_HEAD, "bob").width == 20
        finally:
            gone.set()
        for each in found:
            with pytest.raises(ClientDisconnect):
                each.result(60)


def test_S1_without_threads_the_process_is_ended(preparing: Preparing, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(timer: threading.Timer) -> None:
        raise RuntimeError("can't start new thread")

    before = _children()
    preparing.start()
    monkeypatch.setattr(threading.Timer, "start", refuse)
    with pytest.raises(ServiceUnavailable, match="no thread could be started to decode"):
        preparing.prepare(SMALL, HEAD, "ann")
    assert _children() == before
    monkeypatch.undo()
    assert preparing.prepare(SMALL, HEAD, "ann").width == 20


def test_S1_without_processes_the_first_picture_says_so(preparing: Preparing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regrow.api.submit.preparing.sys.executable", "/nowhere/python")
    preparing.start()
    with pytest.raises(ServiceUnavailable, match="no process could be started to decode"):
        preparing.prepare(SMALL, HEAD, "ann")
