"""What a running fit leaves behind: when checkpoints are due, and what an outage does to them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regrow.core.codec.fit.task import FitProgress
from regrow.core.errors import ServiceUnavailable
from regrow.core.jobs.documents import JobKeys
from regrow.core.jobs.work_unit import MOST_TRIES, UnitKind, WorkUnit
from regrow.core.stores.files import FilesBlobStore
from regrow.worker import unit_hooks as module
from regrow.worker.leases import Hold, Leases
from regrow.worker.unit_hooks import UnitHooks

UNIT = WorkUnit("ab" * 16, UnitKind.FIT, 0, 4, 1)
KEY = JobKeys(UNIT.job_id).checkpoint(UNIT.patches)


class _Queue:
    down = False

    def __init__(self) -> None:
        self.came: list[int] = []
        self.told: list[float] = []

    def progressed(self, unit: WorkUnit, far: int) -> WorkUnit:
        self.came.append(far)
        return unit

    def note_progress(self, unit: WorkUnit, done: float) -> None:
        if self.down:
            raise ServiceUnavailable("Redis cannot be reached")
        self.told.append(done)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be moved by hand."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def _watch(queue: Any, blobs: Any, unit: WorkUnit = UNIT) -> tuple[UnitHooks, Hold]:
    hold = Hold(unit)
    return UnitHooks(hold, Leases(queue), blobs, checkpoint_seconds=15, stopping=threading.Event()), hold


def test_the_first_checkpoint_comes_early_and_the_others_in_time(tmp_path: Path, clock: list[float]) -> None:
    queue, blobs = _Queue(), FilesBlobStore(tmp_path)
    watch, _ = _watch(queue, blobs)
    checkpoints = watch.checkpoints()
    clock[0] += 100  # compiling
    assert not checkpoints.due()
    clock[0] += 1
    assert checkpoints.due()
    watch.on_progress(FitProgress(np.array([0.0, 0.25, 0.5, 1.0]), "training"))
    checkpoints.save(b"first")
    assert blobs.get(KEY) == b"first"
    assert queue.came == [437_500]
    clock[0] += 14
    assert not checkpoints.due()
    clock[0] += 1
    assert checkpoints.due()


def test_the_last_try_starts_without_what_the_others_left(tmp_path: Path) -> None:
    queue, blobs = _Queue(), FilesBlobStore(tmp_path)
    blobs.put(KEY, b"what an earlier try left")
    assert _watch(queue, blobs)[0].checkpoints().resume == b"what an earlier try left"
    last = WorkUnit(UNIT.job_id, UNIT.kind, UNIT.start, UNIT.stop, MOST_TRIES)
    checkpoints = _watch(queue, blobs, last)[0].checkpoints()
    assert checkpoints.resume is None


def test_a_lost_unit_leaves_nothing(tmp_path: Path) -> None:
    """Another has it, or the job is gone: its checkpoint would be left for ever."""
    blobs = FilesBlobStore(tmp_path)
    watch, hold = _watch(_Queue(), blobs)
    hold.lost = True
    assert watch.should_stop()
    watch.checkpoints().save(b"too late")
    assert blobs.list("") == []


def test_an_outage_disturbs_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    queue = _Queue()
    queue.down = True
    watch, _ = _watch(queue, FilesBlobStore(tmp_path / "file"))
    watch.on_progress(FitProgress(np.ones(4), "training"))
    UnitHooks._save(watch, b"nowhere")
    assert "no checkpoint was left" in caplog.text
    assert "cannot be told of progress" in caplog.text


def test_signs_of_life_reach_the_lease() -> None:
    watch, hold = _watch(_Queue(), None)
    hold.sign_of_life -= 1000
    before = hold.sign_of_life
    assert not watch.should_stop()
    assert hold.sign_of_life > before
