"""Jobs of the profile `seeds` and a worker: no engine, no checkpoints, and flat patches where something fails."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regrow.core.codec.decode import decode
from regrow.core.codec.encode import encode
from regrow.core.codec.encode.work import encode_units
from regrow.core.codec.images import Picture
from regrow.core.codec.options import options_of
from regrow.core.codec.profile import Profile
from regrow.core.codec.settings import EncodeSettings
from regrow.core.jobs.documents import JobDocument, JobKeys
from regrow.core.jobs.model import JobState, OnFailure
from regrow.core.jobs.redis_keys import Key
from regrow.core.jobs.wiring import Backend
from regrow.core.jobs.work_unit import WorkUnit
from regrow.worker import encode_job
from regrow.worker.encode_job import EncodeJob
from regrow.worker.leases import Leases
from regrow.worker.source_cache import Sources
from regrow.worker.speed import Speed
from regrow.worker.tasks import StepFailed, UnitRunner
from tests.claims import NODE, room_for
from tests.jobs import accept, backend_at, job_document
from tests.pictures import smooth_picture

SETTINGS = EncodeSettings(profile=Profile.SEEDS)
PICTURE = smooth_picture(12, 300, seed=4)
"""Of two patches."""


@pytest.fixture
def backend(redis_url: str, tmp_path: Path) -> Iterator[Backend]:
    backend = backend_at(redis_url, tmp_path)
    backend.redis.flushall()
    yield backend
    backend.redis.close()


def _send(backend: Backend, settings: EncodeSettings, patches: int, **more: Any) -> str:
    size = {"width": PICTURE.width, "height": PICTURE.height}
    fields = job_document(patches, **size).model_dump() | options_of(settings) | more
    document = JobDocument(**fields)
    accept(backend.jobs, document, PICTURE.to_png())
    return document.id


def _never(*_: object) -> Any:
    raise AssertionError("nothing is to be trained")


def _work(backend: Backend) -> Speed:
    """A worker's turn, until nothing is left to do; its speed, as far as it has learned."""
    leases, speed, stopping = Leases(backend.queue), Speed("numba"), threading.Event()
    job = EncodeJob(
        jobs=backend.jobs,
        store=backend.store,
        blobs=backend.blobs,
        leases=leases,
        sources=Sources(backend.blobs),
        counters=backend.counters,
        encode=_never,
        speed=speed,
        checkpoint_seconds=0,
        stopping=stopping,
    )
    runner = UnitRunner(backend.dispatcher, backend.blobs, leases, speed, NODE, 30, stopping, job.run)
    room_for(backend.redis, runner.batch_cost)
    units = backend.queue.dispatch()
    while units:
        with contextlib.suppress(StepFailed):
            runner.work(units.pop())
        units = units or _sent(backend)
    return speed


def _sent(backend: Backend) -> list[WorkUnit]:
    """What the runner has sent after its work."""
    return [WorkUnit.of(lease) for lease in backend.redis.zrange(Key.SENT, 0, -1)]


@pytest.mark.parametrize(
    ("settings", "patches"), [(SETTINGS, 2), (EncodeSettings(profile=Profile.SEEDS, max_bytes=900), 1)]
)
def test_a_worker_makes_the_bundle_of_one_process(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, settings: EncodeSettings, patches: int
) -> None:
    job_id = _send(backend, settings, patches)
    put, usual = list[str](), backend.blobs.put
    monkeypatch.setattr(backend.blobs, "put", lambda key, data: put.append(key) or usual(key, data))
    speed = _work(backend)
    job = backend.jobs.get(job_id)
    assert (job.state, job.profile, job.preset, job.quality) == (
        *(JobState.SUCCEEDED, Profile.SEEDS, None),
        None if settings.searches else settings.quality,
    )
    assert backend.jobs.bundle(job_id) == encode(PICTURE, settings).bundle
    assert not any(key.startswith(JobKeys(job_id).checkpoints) for key in put)
    assert speed.iterations_per_second is None, "an engine's speed is not learned from what it did not do"


def test_a_patch_that_always_fails_is_flat_where_that_is_asked_for(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(picture: Picture, units: Sequence[int], *rest: Any) -> Any:
        if 1 in units:
            raise ValueError("no")
        return encode_units(picture, units, *rest)

    monkeypatch.setattr(encode_job, "encode_units", fail)
    job_id = _send(backend, SETTINGS, 2, on_failure=OnFailure.FLAT)
    failing = _send(backend, SETTINGS, 2)
    _work(backend)
    job = backend.jobs.get(job_id)
    assert (job.state, job.patches_failed) == (JobState.SUCCEEDED, 1)
    pixels = decode(backend.jobs.bundle(job_id)).picture.pixels
    np.testing.assert_array_equal(pixels[:, :150], decode(encode(PICTURE, SETTINGS).bundle).picture.pixels[:, :150])
    means = PICTURE.pixels[:, 150:].mean(axis=(0, 1))
    assert np.abs(pixels[:, 150:].astype(int) - means).max() < 20
    assert backend.jobs.get(failing).state is JobState.FAILED
