"""`python -m regrow.benchmarks.scale_worker`: a real worker whose fits are a declared sleep.

A patch takes REGROW_BENCH_SLEEP seconds of sleep and becomes grey; assembling writes a bundle of one pixel. All
else is the real thing: messages, claims, leases, heartbeats, parts, the end of the job.
"""

from __future__ import annotations

import os
import time

import numpy as np

from regrow.core.codec.encode import work
from regrow.core.codec.encode.candidate import Candidate
from regrow.core.codec.encode.encoded import Encoded
from regrow.core.codec.encode.encoder import EncodedPatches
from regrow.core.codec.encode.flat import flat_candidate
from regrow.core.codec.fit.checkpoint import Checkpoints
from regrow.core.codec.fit.task import FitHooks
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Preset
from regrow.core.codec.settings import EncodeSettings
from regrow.worker import encode_job
from regrow.worker.__main__ import main

SLEEP = float(os.environ.get("REGROW_BENCH_SLEEP", "0"))
_DOT, _ASKED = Picture(np.zeros((1, 1, 3), dtype=np.uint8)), EncodeSettings(Preset.MICRO)
_GREY: list[Candidate] = [flat_candidate(_DOT, 0, _ASKED)]
_ENCODED = work.assemble(_DOT, _ASKED, [work.flat_unit(_DOT, 0, _ASKED)])


def encode(
    picture: Picture, patches: range, settings: EncodeSettings, hooks: FitHooks, checkpoints: Checkpoints[bytes]
) -> EncodedPatches:
    """Sleeps."""
    if SLEEP:
        time.sleep(SLEEP * len(patches))
    return EncodedPatches([_GREY for _ in patches], 0)


def assemble(picture: Picture, settings: EncodeSettings, patches: object) -> Encoded:
    """The same bundle of one pixel for every job: a report reads it."""
    return _ENCODED


if __name__ == "__main__":
    encode_job.assemble = assemble
    main(encode)
