"""`python -m tests.integration.faults.faulty_worker`: a real worker with flat patches for rules and one fault, named by
REGROW_TEST_FAULT. What is patched is what would go wrong by itself once in a thousand days.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

import numpy as np

from regrow.core.codec.encode.encoder import EncodedPatches
from regrow.core.codec.encode.flat import flat_candidate
from regrow.core.codec.fit.checkpoint import Checkpoints
from regrow.core.codec.fit.task import FitHooks
from regrow.core.codec.images import Picture
from regrow.core.codec.patches import PatchGrid
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import FitStopped
from regrow.core.jobs.queue import WorkQueue
from regrow.worker import encode_job
from regrow.worker.__main__ import main
from tests.integration.faults.poison import POISON

FAULT = os.environ.get("REGROW_TEST_FAULT", "none")
MARK = Path(os.environ.get("REGROW_TEST_MARK", "/nonexistent"))
"""A file: what happens only once makes it; what waits, waits for it."""


def _is_poisoned(picture: Picture, patch: int) -> bool:
    top, left = PatchGrid(picture.height, picture.width, 40).origin(patch)
    return bool((picture.pixels[top, left, :3] == POISON).all())


def encode(
    picture: Picture, patches: range, settings: EncodeSettings, hooks: FitHooks, checkpoints: Checkpoints[bytes]
) -> EncodedPatches:
    if any(_is_poisoned(picture, patch) for patch in patches):
        match FAULT:
            case "crash":
                os.kill(os.getpid(), signal.SIGKILL)
            case "memory":
                resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.RLIM_INFINITY))
                try:
                    np.ones(1 << 40, dtype=np.uint8)
                finally:
                    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            case "wait":
                while not MARK.exists():
                    if hooks.should_stop():
                        raise FitStopped("the fit was asked to stop")
                    time.sleep(0.02)
    return EncodedPatches([[flat_candidate(picture, patch, settings)] for patch in patches], 0)


def _patch_assembly() -> None:
    assemble = encode_job.assemble

    def faulty(*arguments: object) -> object:
        if FAULT == "die-in-assembly" and not MARK.exists():
            MARK.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        while FAULT == "slow-assembly" and not MARK.exists():
            time.sleep(0.02)
        return assemble(*arguments)  # type: ignore[arg-type]

    encode_job.assemble = faulty  # type: ignore[assignment]


def _die_before_it_begins(*_: object) -> bool:
    MARK.touch()
    os.kill(os.getpid(), signal.SIGKILL)
    return False


def _shift_clock(seconds: float) -> None:
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + seconds
    time.time_ns = lambda: now_ns() + int(seconds * 1e9)


if __name__ == "__main__":
    if FAULT == "clock":
        _shift_clock(2 * 3600)
    if FAULT == "die-before-it-begins":
        WorkQueue.begin = _die_before_it_begins  # type: ignore[method-assign]
    _patch_assembly()
    main(encode)
